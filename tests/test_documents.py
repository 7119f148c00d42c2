"""What the documents point to exists."""

import re
from pathlib import Path

import pytest

from lakeproof.install.doctor import NEEDED_FREE_GB
from lakeproof.install.recipe import load_recipes
from lakeproof.stack.settings_page import settings_page

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_row_of_a_table_has_as_many_cells_as_its_head(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, *rows = (re.sub(r"\\\|", "", row) for row in table.splitlines())
        assert [row for row in rows if row.count("|") != head.count("|")] == []


def test_every_decision_stands_in_their_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_the_page_of_settings_is_what_the_settings_are() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), (
        "lakeproof render settings > docs/settings.md"
    )


def test_the_page_of_proofs_names_each_file_that_holds_one() -> None:
    page = (ROOT / "docs" / "proofs.md").read_text()
    files = [*(ROOT / "tests" / "engines").glob("test_*.py"), *(ROOT / "tests" / "drills_real").glob("test_*.py")]
    proofs = [path.name for path in files if "mark.proof" in path.read_text()]
    assert [name for name in sorted(proofs) if name not in page] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z][a-z-]+)", (ROOT / "README.md").read_text()))
    assert named - targets == set()


def test_both_documents_ask_for_the_disk_that_doctor_asks_for() -> None:
    for name in ("README.md", "docs/set-up.md"):
        text = (ROOT / name).read_text()
        assert re.findall(r"(\d+) G\w+ of disk", text) == [str(NEEDED_FREE_GB)], name


def test_both_documents_name_one_size_of_the_first_set_up_and_it_is_that_of_the_recipes() -> None:
    recipes = [recipe for recipe in load_recipes().values() if not recipe.on_request]
    packages = [line.split("\t")[2] for line in (ROOT / "third_party/apt.tsv").read_text().splitlines()[2:] if line]
    python = re.search(r"^SYNC_MB=(\d+)", (ROOT / "scripts/bootstrap.sh").read_text(), re.MULTILINE)
    assert python is not None
    whole = sum(recipe.download_mb for recipe in recipes) + sum(map(int, packages)) + int(python.group(1))
    said = re.search(r"([\d.]+) GB of downloads", (ROOT / "README.md").read_text())
    measured = re.search(r"([\d.]+) GB downloaded", (ROOT / "docs/set-up.md").read_text())
    assert said is not None and measured is not None
    assert said.group(1) == measured.group(1)
    assert abs(float(said.group(1)) - whole / 1000) <= 0.15


def test_every_table_of_the_performance_names_its_machine_and_commit() -> None:
    sections = (ROOT / "docs/performance.md").read_text().split("\n## ")
    tables = [section for section in sections if "\n| " in section]
    assert tables
    for section in tables:
        assert re.search(r"[Mm]achine [AB]\b", section) and re.search(r"\b[0-9a-f]{7}\b", section), section


@pytest.mark.parametrize("name", ["proofs.md", "drills.md"])
def test_no_result_is_typed_into_a_document_that_has_a_record_for_it(name: str) -> None:
    assert re.findall(r"[1-9]\d* passed|passed in \d+|\b\d+ of \d+\b", (ROOT / "docs" / name).read_text()) == []


def test_the_readme_is_short_and_so_are_its_sentences() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 130
    prose = re.sub(r"^```.*?^```|^\|.*?$", "", text, flags=re.MULTILINE | re.DOTALL)
    paragraphs = re.split(r"\n\s*\n|\n(?=- )", re.sub(r"\]\([^)]*\)|\*", "", prose))
    sentences = [words.split() for part in paragraphs for words in re.split(r"(?<=[.!?])\s", part)]
    assert [" ".join(words) for words in sentences if len(words) > 25] == []


def test_the_pages_are_few_and_each_says_first_what_it_is_good_for() -> None:
    made = {"settings.md"}  # by `lakeproof render settings`
    pages = sorted(page for page in (ROOT / "docs").glob("*.md") if page.name not in made)
    assert len(pages) <= 20
    opening = re.compile(r"# .+\n\n(?!\[|[#|`>*-])(?:.+\n)*?.*\byou\b")
    assert [page.name for page in pages if not opening.match(page.read_text())] == []
