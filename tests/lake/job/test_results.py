from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.job.spec import make_spec
from lakeproof.lake.job.sql_files import load_result_files, load_sql_files
from lakeproof.lake.result_topics import result_topics
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_every_result_file_has_its_topic_which_keeps_the_newest_of_each_key() -> None:
    assert [f"results.{file.table}" for file in load_result_files("oltp")] == [
        topic.name for topic in result_topics()
    ]
    assert {topic.config["cleanup.policy"] for topic in result_topics()} == {"compact"}


def test_a_result_is_of_a_table_that_the_job_captures() -> None:
    captured = {file.source for file in load_sql_files(OLTP.name)}
    assert {file.source for file in load_result_files("oltp")} <= captured


def test_a_source_without_results_has_none() -> None:
    assert load_result_files("shop") == ()


def test_a_file_that_is_not_one_declaration_of_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("CREATE TEMPORARY TABLE b (id BIGINT);")
    with pytest.raises(InvalidInput, match="CREATE TEMPORARY TABLE a"):
        load_result_files("oltp", tmp_path)


def test_the_job_writes_results_unless_that_is_off(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, name="t")
    assert [one["topic"] for one in make_spec(Stack(settings), OLTP)["results"]] == ["results.orders_by_customer"]
    settings.lake.result_topics = False
    assert make_spec(Stack(settings), OLTP)["results"] == []
