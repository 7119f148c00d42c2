"""Searching logs by a selector."""

from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.processes.logquery import parse, search


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kafka.log").write_text("Started\nERROR broker lost\n")
    (tmp_path / "kafka.log.1").write_text("an old error\n")
    (tmp_path / "flink-jobmanager.log").write_text("error in job one\nerror in job two\n")
    return tmp_path


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{container="kafka"} error', ["an old error", "ERROR broker lost"]),
        ('{container=~"flink-.*"} error two', ["error in job two"]),
        ('{container!="kafka"} error !two', ["error in job one"]),
        ('{} |= "broker lost"', ["ERROR broker lost"]),
        ('{container="kafka"}', ["an old error", "Started", "ERROR broker lost"]),
        ('{container="kafka", container!~"x.*"} started', ["Started"]),
    ],
)
def test_finds_the_lines_with_all_words(folder: Path, query: str, expected: list[str]) -> None:
    assert [hit.line for hit in search(folder, parse(query))] == expected


@pytest.mark.parametrize(
    "query", ["error", '{container="kafka"', '{pod="kafka"}', "{container=kafka}", '{container=~"("}']
)
def test_a_query_that_makes_no_sense_is_refused_with_an_example(query: str) -> None:
    with pytest.raises(InvalidInput, match=r"e\.g\."):
        parse(query)
