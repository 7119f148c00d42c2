"""The pages in docs/usecases are what the use cases and the scenarios say now."""

from pathlib import Path

from lakeproof.scenarios.catalog import load_catalog
from lakeproof.scenarios.use_case_pages import hitting, write_page
from lakeproof.use_cases.use_case import IDS

DOCS = Path(__file__).parents[2] / "docs" / "usecases"

OF_THE_LAKE = (
    *("connector-failure", "replication-lag", "schema-drift", "kafka-backlog", "flink-restarts"),
    *("lake-commit-failure", "trino-backlog"),
)


def test_the_committed_pages_are_those_that_would_be_written(tmp_path: Path) -> None:
    written = write_page(list(load_catalog().scenarios.values()), tmp_path)
    assert {path.name for path in written} == {path.name for path in DOCS.glob("*.md")}
    for path in written:
        assert (DOCS / path.name).read_text() == path.read_text(), "run: lakeproof usecase write"


def test_what_holds_up_the_lake_itself_hits_every_use_case_since_each_reads_it() -> None:
    scenarios = load_catalog().scenarios
    assert [name for name in OF_THE_LAKE if set(scenarios[name].use_cases) != set(IDS)] == []


def test_every_use_case_is_hit_by_some_incident() -> None:
    scenarios = load_catalog().scenarios.values()
    assert [name for name in IDS if not hitting(name, scenarios)] == []
