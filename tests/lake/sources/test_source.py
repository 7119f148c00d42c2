"""Which source databases a stack has."""

import re
from pathlib import Path

import pytest

import lakeproof
from lakeproof.errors import InvalidInput
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.job.spec import make_spec, table_options
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.sources.engine import Engine
from lakeproof.lake.sources.source import (
    FIRST,
    OLTP,
    SHOP,
    SOURCES,
    Source,
    engine_of,
    find_source,
    present,
    want,
)
from lakeproof.processes.environment import RUN_ID
from lakeproof.processes.lock import daemon_lock
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def make_stack(folder: Path) -> Stack:
    return Stack(Settings(state_dir=folder))


def test_without_shop_capture_there_is_mariadb_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = make_stack(tmp_path)
    monkeypatch.setenv(RUN_ID, Runtime(stack).new_run_id())
    assert present(stack) == (OLTP,)
    want(stack, "shop-capture", wanted=True)
    assert present(stack) == SOURCES
    want(stack, "shop-capture", wanted=False)
    want(stack, "shop-capture", wanted=False)
    assert present(stack) == (OLTP,)


def test_what_a_killed_supervisor_left_marked_as_captured_is_not_captured_in_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make_stack(tmp_path)
    monkeypatch.setenv(RUN_ID, Runtime(stack).new_run_id())
    want(stack, "shop-capture", wanted=True)
    monkeypatch.setenv(RUN_ID, Runtime(stack).new_run_id())
    assert present(stack) == (OLTP,)


def test_who_asks_from_outside_is_told_of_the_supervisor_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make_stack(tmp_path)
    runtime = Runtime(stack)
    with daemon_lock(runtime, runtime.new_run_id()) as holder:
        monkeypatch.setenv(RUN_ID, holder.run_id)
        want(stack, "shop-capture", wanted=True)
        monkeypatch.setenv(RUN_ID, "another-stack-1")
        assert present(stack) == SOURCES
    assert present(stack) == (OLTP,)


def test_an_unknown_database_is_wrong_input() -> None:
    assert find_source("shop") == SHOP
    with pytest.raises(InvalidInput, match="oltp, shop"):
        find_source("sales")


def test_each_database_has_its_own_job_topic_and_tables(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    spec = make_spec(stack, SHOP)
    assert (spec["name"], spec["topic"], spec["database"]) == ("lake-shop", "cdc.shop", "shop")
    assert spec["config"]["execution.checkpointing.interval"] == "20000 ms"
    assert make_spec(stack, OLTP)["config"]["execution.checkpointing.interval"] == "5000 ms"
    assert "write-buffer-size" not in table_options(stack, OLTP)
    assert table_options(stack, SHOP)["write-buffer-size"] == "16 mb"


def test_every_captured_table_of_postgresql_has_its_reader() -> None:
    read = {file.source for file in load_sql_files("shop")}
    assert read == set(find_connector("shop").sources)


def test_the_names_that_stand_in_old_lakes_brokers_and_dashboards_are_these_to_the_letter() -> None:
    assert [(one.name, one.connector, one.topic, one.job, one.exporter) for one in SOURCES] == [
        ("oltp", "orders", "cdc.oltp", "lake-oltp", "lag-exporter"),
        ("shop", "shop", "cdc.shop", "lake-shop", "shop-capture"),
    ]
    assert [(one.prefix("."), one.of) for one in SOURCES] == [("", ""), ("shop.", " of shop")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_source_agrees_with_its_connectors_file(source: Source) -> None:
    connector = find_connector(source.connector)
    assert (connector.database, connector.engine, connector.topic) == (source.name, source.engine, source.topic)
    assert find_source(connector.name, by="connector") == source


def test_exactly_one_source_is_the_first() -> None:
    assert [source for source in SOURCES if source.first] == [FIRST]


def test_which_source_is_the_first_is_known_to_the_format_of_a_commit_and_to_who_makes_the_lake_alone() -> None:
    package = Path(lakeproof.__file__).parent
    knowing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^ *from lakeproof\.lake\.sources\.source import .*\bFIRST\b", path.read_text(), re.MULTILINE)
    }
    assert knowing == {"lake/publish/commit.py", "provisioning/nessie.py"}


def test_both_engines_have_every_function_that_is_asked_of_one() -> None:
    asked = {name for name in (*vars(Engine), *Engine.__annotations__) if not name.startswith("_")}
    for name in {source.engine for source in SOURCES}:
        assert asked <= set(vars(engine_of(name))), name
