"""Where imports stand: no two modules need each other, and an import within a function saves time or memory."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

import pytest

ROOT = Path(__file__).parents[1]
# Package → the folder that it lies in. The benchmarks are not installed.
PACKAGES = {"lakeproof": ROOT / "src", "lakeproof_shop": ROOT / "src", "benchmarks": ROOT}
FIRST_OF_ALL = ("lakeproof.cli.app", "lakeproof.cli.commands")  # loaded before any command's module
# Each takes longer to load than `lakeproof ps` takes to run.
HEAVY = {"asyncio", "httpx", "psutil", "pydantic", "sqlalchemy", "yaml"}
# Clients of servers and formats, which most processes never need; tens of megabytes together.
CLIENTS = {"botocore", "cassandra", "confluent_kafka", "fastavro", "psycopg", "pymysql", "redis"}
# Outside the command line: who imports what else within a function, and why.
REASONS = {
    ("benchmarks.service_server", "lakeproof_shop.serving.redis_connection"): "it loads redis",
    ("lakeproof.deadline", "asyncio"): "a command that never waits ends sooner than asyncio is loaded",
    ("lakeproof.lake.sources.source", "lakeproof.lake.sources.mariadb"): "it loads pymysql",
    ("lakeproof.lake.sources.source", "lakeproof.lake.sources.postgres"): "it loads psycopg",
    ("lakeproof.processes.logfile", "ctypes"): "who only reads logs needs none",
    ("lakeproof_shop.services.mail_sink.account", "httpx"): "the sink keeps the account, and asks nobody",
    ("lakeproof.stack.stack", "lakeproof.stack.settings"): "it loads pydantic; a command's --help needs none",
} | {
    (
        "benchmarks.service_server",
        f"lakeproof_shop.services.{service}.app",
    ): "a process whose memory is told serves one"
    for service in ("mail_sink", "notification", "order", "payment", "support")
}


@dataclass(frozen=True)
class Import:
    """One module that another imports: at the `top`, within a `function`, or for `types` alone."""

    target: str
    line: int
    where: Literal["top", "function", "types"]

    @property
    def late(self) -> bool:
        """True where loading the module does not load the target."""
        return self.where != "top"


@cache
def files() -> Mapping[str, Path]:
    found = ((home, path) for package, home in PACKAGES.items() for path in (home / package).rglob("*.py"))
    return {
        ".".join(path.relative_to(home).with_suffix("").parts).removesuffix(".__init__"): path for home, path in found
    }


def of_command_line(name: str) -> bool:
    """True for a module of the command line. The command `bench` lies with the benchmarks."""
    return name.startswith("lakeproof.cli.") or name == "benchmarks.command"


def _targets(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.module and not node.level, "imports name the whole way"
    for alias in node.names:
        inner = f"{node.module}.{alias.name}"
        yield inner if inner in files() else node.module


def _found(node: ast.AST, where: Literal["top", "function", "types"] = "top") -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield from (Import(target, child.lineno, where) for target in _targets(child))
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _found(child, "function")
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from _found(child, "types")
        else:
            yield from _found(child, where)


@cache
def imports() -> Mapping[str, tuple[Import, ...]]:
    return {name: tuple(_found(ast.parse(path.read_bytes()))) for name, path in files().items()}


@cache
def loaded_with(name: str) -> frozenset[str]:
    """What is loaded once this module is: what it and its packages import at the top, near and far."""
    seen, left = set[str](), [name]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            package = one.rpartition(".")[0]
            left += [package] if package else []
            left += [each.target for each in imports().get(one, ()) if not each.late]
    return frozenset(seen)


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Late imports count as well."""
    wanted = {name: {each.target for each in found} & files().keys() for name, found in imports().items()}
    try:
        TopologicalSorter(wanted).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' → '.join(reversed(error.args[1]))}")


def test_a_stack_tells_an_address_without_loading_any_component() -> None:
    """A circle that no import statement shows: components' files are found by their folder, and each uses Stack."""
    code = """if True:
        import sys
        from lakeproof.stack.settings import Settings
        from lakeproof.stack.stack import Stack
        assert Stack(Settings()).url("connect-2") == "http://127.0.0.1:8183"
        print([name for name in sys.modules if name.startswith(("lakeproof.stack.engines", "lakeproof.stack.serv"))])
    """
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_late_import_names_nothing_that_is_loaded_anyway() -> None:
    needless = []
    for name, found in imports().items():
        before = FIRST_OF_ALL if of_command_line(name) and name not in FIRST_OF_ALL else ()
        loaded = loaded_with(name).union(*(loaded_with(one) for one in before))
        needless += [
            f"{files()[name]}:{each.line} {each.target}" for each in found if each.late and each.target in loaded
        ]
    assert needless == []


def test_an_import_within_a_function_has_a_reason() -> None:
    """In the command line the test below is the reason: a command's module is loaded for its --help alone, too."""
    used = {
        (name, each.target)
        for name, found in imports().items()
        for each in found
        if each.where == "function" and not of_command_line(name)
    }
    of_clients = {
        (name, target)
        for name, target in used
        if target.partition(".")[0] in CLIENTS or target == "lakeproof.stack.postgres_session"  # psycopg
    }
    assert used - of_clients == REASONS.keys()


def test_no_command_loads_a_heavy_library_before_it_is_called() -> None:
    """Its --help, and what is said of a wrong word, need none."""
    commands = [name for name in files() if of_command_line(name)]
    assert {name: found for name in commands if (found := loaded_with(name) & HEAVY)} == {}


def test_httpx_brings_no_command_line_into_our_processes() -> None:
    """Its own one loads click, rich and pygments, which typer has installed: two fifths of its import."""
    code = """if True:
        import sys
        import lakeproof, httpx
        assert httpx.Request("GET", "http://127.0.0.1/").method == "GET"
        print(sorted({"click", "pygments", "rich"} & sys.modules.keys()))
    """
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
