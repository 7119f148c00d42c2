"""docs/path.md: the path of a record can be read in one sitting, and is the path that the code takes."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from lakeproof.lake.capture.connector import connectors
from lakeproof.lake.job.sql_files import table_names
from lakeproof.scenarios.folder import scenario_folders

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
PAGE = (ROOT / "docs" / "path.md").read_text()
# What is said of each file: its own item of a list, which begins with its link.
ITEMS = {
    (ROOT / "docs" / link).resolve(): text
    for link, text in re.findall(
        r"^- \*\*\[[^\]]+\]\((\S+)\)\*\*:\s(.*?)(?=^- |^#|\n\n)", PAGE, re.MULTILINE | re.DOTALL
    )
}
ENTRIES = (
    "lakeproof.lake.capture.registration",
    "lakeproof.lake.job.submission",
    "lakeproof.lake.publish.service",
    "lakeproof.cli.check",
)
each_item = pytest.mark.parametrize("path", ITEMS, ids=lambda path: path.name)


def test_the_path_is_read_in_one_sitting() -> None:
    """At most 40 files and 7,000 lines, and the page leads to no other file of the code."""
    linked = {(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\((\.\./(?:src|java)/[^)#]+)\)", PAGE)}
    assert linked == ITEMS.keys()
    assert [path for path in ITEMS if not path.is_file()] == []
    assert len(ITEMS) <= 40
    assert sum(len(path.read_text().splitlines()) for path in ITEMS) <= 7_000


@each_item
def test_two_to_four_sentences_say_what_a_file_does_and_what_would_break_without_it(path: Path) -> None:
    told = list(sentences([ITEMS[path]]))
    assert 2 <= len(told) <= 4
    assert re.match(r"Without|With one|With two|Otherwise|In another order|A .* would|A plain read", told[-1]), told[
        -1
    ]


@each_item
def test_every_function_that_is_named_with_a_file_is_there(path: Path) -> None:
    named = set(re.findall(r"`([\w.]+)\(\)`", ITEMS[path]))
    if path.suffix == ".java":
        assert [name for name in named if f" {name}(" not in path.read_text()] == []
    else:
        assert named <= (set(functions_of(path)) if path.suffix == ".py" else set())


def test_every_linked_module_is_reached_from_what_runs() -> None:
    seen, left = set[str](), list(ENTRIES)
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += imports_of(name)
    assert [str(path) for path in ITEMS if path.suffix == ".py" and module_of(path) not in seen] == []


def test_every_linked_file_that_is_no_module_is_used() -> None:
    others = {path for path in ITEMS if path.suffix != ".py"}
    sql = SRC / "lakeproof_shop/tables/oltp"
    used = {sql / f"{table}.sql" for table in table_names("oltp")}
    used |= {SRC / f"lakeproof_shop/connectors/{name}.json" for name in connectors()}
    job = ROOT / "java/transaction_aligner/src/main/java/dev/lakeproof/lake/LakeJob.java"
    used |= {job.with_name(f"{name}.java") for name in re.findall(r"\bnew (\w+)", job.read_text())}
    assert others - used == set()


def test_no_sentence_is_longer_than_25_words_or_has_an_aside_in_brackets() -> None:
    told = list(sentences(PAGE.split("\n\n")))
    assert [sentence for sentence in told if len(sentence.split()) > 25] == []
    assert [sentence for sentence in told if "(" in sentence.replace("()", "")] == []


def test_what_can_go_wrong_is_played_by_five_scenarios() -> None:
    named = re.findall(r"^- .*\n?.*\[([a-z-]+)\]\(runbook/\1\.en\.md\)\.$", PAGE, re.MULTILINE)
    assert len(set(named)) == 5
    assert set(named) <= set(scenario_folders())


def test_the_script_on_the_page_is_one_of_the_golden_scripts() -> None:
    (shown,) = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown in (ROOT / "tests/golden/items-in-a-later-checkpoint.txt").read_text()


def sentences(paragraphs: Iterable[str]) -> Iterator[str]:
    """The sentences of these paragraphs, and of the items of their lists, without headings and blocks of code."""
    for paragraph in paragraphs:
        if not paragraph.startswith(("#", "```")):
            for item in re.split(r"^- ", paragraph, flags=re.MULTILINE):
                text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", " ".join(item.split()))
                text = re.sub(r"^\*\*.*?\*\*: ", "", text)
                yield from filter(None, re.split(r"(?<=[.!?]) ", text))


def functions_of(path: Path) -> Iterator[str]:
    """NAME of the module's functions, CLASS.NAME of its methods."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts)


def imports_of(module: str) -> Iterator[str]:
    """The modules of the package that this one imports, also late ones."""
    path = SRC / f"{module.replace('.', '/')}.py"
    for node in ast.walk(ast.parse((path if path.exists() else path.with_suffix("") / "__init__.py").read_text())):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in named:
            place = SRC / name.replace(".", "/")
            if name.startswith("lakeproof") and (place.with_suffix(".py").exists() or place.is_dir()):
                yield name
