"""The pages in docs/usecases are what the use cases and the scenarios say now."""

from pathlib import Path

from lakeproof.scenarios.catalog import load_catalog
from lakeproof.scenarios.use_case_pages import hitting, write_page
from lakeproof.use_cases.use_case import IDS

DOCS = Path(__file__).parents[2] / "docs" / "usecases"


def test_the_committed_pages_are_those_that_would_be_written(tmp_path: Path) -> None:
    written = write_page(list(load_catalog().scenarios.values()), tmp_path)
    assert {path.name for path in written} == {path.name for path in DOCS.glob("*.md")}
    for path in written:
        assert (DOCS / path.name).read_text() == path.read_text(), "run: lakeproof usecase write"


def test_every_use_case_is_hit_by_some_incident() -> None:
    scenarios = load_catalog().scenarios.values()
    assert [name for name in IDS if not hitting(name, scenarios)] == []
