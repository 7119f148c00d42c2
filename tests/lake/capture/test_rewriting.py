"""Statements on the lake's own tables: never beside the job that writes them, and that job goes on afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import DeadlineExpired, NotReady
from lakeproof.lake.capture import rewriting
from lakeproof.lake.job.bridging import bridging, is_bridged
from lakeproof.lake.job.flink_rest import Job
from lakeproof.lake.query.answer import EngineUnreachable, StatementFailed
from lakeproof.lake.query.paimon import NAME, paimon
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class World:
    """A job, and who else writes to its tables. twice: rows that order_events holds twice. refuses: statements fail.

    did: the statements that were run, without those that only read.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.running, self.statement_runs, self.refuses = True, False, False
        self.twice: int | None = 0
        self.did: list[str] = []
        self.shown = True

    def run(self, sql: str, deadline: object) -> SimpleNamespace:
        if sql.startswith("DESCRIBE"):
            return SimpleNamespace(rows=[("id", "BIGINT"), ("type", "STRING")])
        if sql.startswith("SELECT"):
            assert "COUNT(*) AS n FROM store.oltp.order_events GROUP BY `id`, `type`" in sql
            return SimpleNamespace(rows=[(self.twice,)])
        assert not self.running, "a second writer"
        self.did.append(sql)
        self.statement_runs = self.refuses
        if self.refuses:
            raise StatementFailed("cancelled", where="flink")
        self.twice = 0
        return SimpleNamespace(rows=[])

    def jobs(self) -> list[Job]:
        there, self.statement_runs = self.statement_runs, False  # it ends after one look
        return [Job("1", NAME, "CANCELLING" if there else "CANCELED"), Job("2", OLTP.job, "RUNNING")]

    @contextmanager
    def no_job(self, *_: object) -> Iterator[None]:
        self.running = False
        yield

    def submit(self, *_: object) -> None:
        assert not self.statement_runs, "a second writer"
        self.running = True

    def published(self, *_: object) -> None:
        assert self.running and is_bridged(self.stack, OLTP)
        if not self.shown:
            raise DeadlineExpired("waited 120 s for main", last_seen="main shows checkpoint 3")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(Stack(Settings(state_dir=tmp_path)))

    @contextmanager
    def session(*_: object) -> Iterator[World]:
        yield made

    monkeypatch.setattr(rewriting, "paimon", session)
    monkeypatch.setattr(rewriting, "rest_of", lambda *_: made)
    monkeypatch.setattr(rewriting, "find_job", lambda *_: made.running or None)
    monkeypatch.setattr(rewriting, "no_job", made.no_job)
    monkeypatch.setattr(rewriting, "ensure_submitted", made.submit)
    monkeypatch.setattr(rewriting, "await_published", made.published)
    return made


def test_a_job_that_somebody_else_stopped_stays_stopped(world: World) -> None:
    world.running = False
    with pytest.raises(NotReady):
        rewriting.write_to_lake(world.stack, OLTP, ["DELETE FROM store.oltp.orders"])
    assert not world.running and world.did == []


def test_where_the_statement_fails_the_job_goes_on_once_its_own_has_ended(world: World) -> None:
    world.refuses = True
    with pytest.raises(StatementFailed):
        rewriting.write_to_lake(world.stack, OLTP, ["DELETE FROM store.oltp.orders"])
    assert world.running


def test_a_gateway_that_does_not_answer_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeproof.lake.query.paimon.start_gateway", lambda *_: None)
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"flink-sql-gateway": {"http": "127.0.0.1:9"}}))
    with pytest.raises(EngineUnreachable), paimon(stack):
        pass


def test_second_rows_go_from_the_tables_that_have_some(world: World) -> None:
    world.twice = 3
    assert rewriting.remove_second_rows(world.stack, OLTP) == {"oltp.order_events": 3}
    anew = "INSERT OVERWRITE store.oltp.order_events SELECT DISTINCT * FROM store.oltp.order_events"
    assert world.did == [anew] and world.running
    assert rewriting.remove_second_rows(world.stack, OLTP) == {}
    assert world.did == [anew]


def test_an_empty_table_holds_nothing_twice(world: World) -> None:
    world.twice = None
    assert rewriting.remove_second_rows(world.stack, OLTP) == {}


def test_it_ends_only_once_main_shows_it_also_in_the_second_call(world: World) -> None:
    """An audit's finding does not keep `main` as it is meanwhile (publish/service.py)."""
    world.twice, world.shown = 3, False
    for _ in range(2):
        with pytest.raises(DeadlineExpired):
            rewriting.remove_second_rows(world.stack, OLTP)
    assert len(world.did) == 1


def test_one_repair_at_a_time_for_each_database(world: World) -> None:
    with bridging(world.stack, OLTP), pytest.raises(NotReady):
        rewriting.remove_second_rows(world.stack, OLTP)
    assert not is_bridged(world.stack, SHOP)
