"""The package imports what it declares, and declares what it imports; the benchmarks import no other library."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_IMPORTED = {
    "cramjam": "fastavro's Snappy",
    "httptools": "uvicorn's parser, whose protocol services/bounded_connection.py extends",
}
PART_OF = {"starlette": "fastapi", "markupsafe": "jinja2"}  # their types are in these libraries' own signatures


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {normal(re.split(r"[\[<>=; ]", each)[0]) for each in found}


def imported(folder: str) -> Iterator[str]:
    """The top modules that the code of that folder imports, lazily too."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def used_by(folder: str) -> dict[str, set[str]]:
    """Top module → the distributions that it may come from, for the libraries that the folder's code imports."""
    known = packages_distributions()
    modules = set(imported(folder)) - set(sys.stdlib_module_names) - {"lakeproof", "lakeproof_shop", "benchmarks"}
    assert not {module for module in modules if module not in known}
    return {module: {normal(PART_OF.get(name.lower(), name)) for name in known[module]} for module in modules}


@pytest.mark.parametrize("folder", ["src", "benchmarks"])
def test_each_import_is_declared(folder: str) -> None:
    assert not {module for module, names in used_by(folder).items() if not names & declared()}


def test_each_dependency_is_imported() -> None:
    used = used_by("src")
    assert declared() - {name for names in used.values() for name in names} == set(NOT_IMPORTED)
