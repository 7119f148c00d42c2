"""Statements on the lake's own tables: never beside the job that writes them, and that job goes on afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, LakeproofError, NotReady
from lakeproof.lake.capture import rewriting
from lakeproof.lake.job import turn
from lakeproof.lake.job.bridging import bridging, main_may_move
from lakeproof.lake.job.flink_rest import Job
from lakeproof.lake.job.passing_over import begin_passing_over
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.job.turn import SubmissionHeld, submitting
from lakeproof.lake.job.writer import _mark, writer_of
from lakeproof.lake.query.answer import EngineUnreachable, StatementFailed
from lakeproof.lake.query.paimon import paimon
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class World:
    """A job and its tables. twice: rows that each table holds twice. ends_as: the job, once it has its savepoint.

    did: what was done, without statements that only read.
    """

    url = "http://gateway/v1/sessions/7"

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.running, self.refuses, self.no_savepoint = True, False, False
        self.twice: dict[str, int | None] = {}
        self.ends_as = "FINISHED"
        self.keys: dict[str, tuple[int, ...]] = {}
        self.did: list[str] = []
        self.names: list[str] = []
        self.shown = True
        self.why: LakeproofError = DeadlineExpired("waited 120 s for main", last_seen="main shows checkpoint 3")

    def run(self, sql: str, deadline: object) -> SimpleNamespace:
        if sql.startswith("DESCRIBE"):
            return SimpleNamespace(rows=[("id", "BIGINT"), ("type", "STRING")])
        if sql.startswith("SELECT `"):
            table = sql.partition(" FROM store.")[2]
            return SimpleNamespace(rows=[(key,) for key in self.keys.get(table, ())])
        if sql.startswith("SELECT"):
            table = sql.partition(" FROM store.")[2].partition(" ")[0]
            assert sql == f"SELECT SUM(n - 1) FROM (SELECT COUNT(*) AS n FROM store.{table} GROUP BY `id`, `type`)"
            return SimpleNamespace(rows=[(self.twice.get(table, 0),)])
        assert not self.running, "a second writer"
        assert _mark(self.stack, OLTP if "oltp" in sql else SHOP).read_text() == self.url
        assert not main_may_move(self.stack, OLTP)
        with pytest.raises(SubmissionHeld), submitting(self.stack):
            pass
        self.did.append(sql)
        if self.refuses:
            raise StatementFailed("cancelled", where="flink")
        self.twice.pop(sql.partition("store.")[2].partition(" ")[0], None)
        return SimpleNamespace(rows=[])

    def stop(self, *_: object) -> str:
        if self.no_savepoint:
            raise DeadlineExpired("waited 60 s for the savepoint", last_seen="nothing yet")
        self.running = False
        return "s3://savepoint"

    def jobs(self) -> list[Job]:
        return [Job("other", OLTP.job, "FINISHED"), Job("a", OLTP.job, self.ends_as)]

    def cancel(self, job_id: str) -> None:
        self.did.append(f"cancelled {job_id}")
        self.running = False

    def submit(self, *_: object) -> None:
        self.running = True

    def published(self, *_: object) -> None:
        assert self.running and main_may_move(self.stack, OLTP)
        if not self.shown:
            raise self.why


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(Stack(Settings(state_dir=tmp_path)))

    @contextmanager
    def session(stack: Stack, name: str = "") -> Iterator[World]:
        made.names.append(name)
        yield made
        if name:  # it is closed before somebody else gets the turn
            with pytest.raises(SubmissionHeld), submitting(stack):
                pass

    monkeypatch.setattr(turn, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(rewriting, "paimon", session)
    monkeypatch.setattr(rewriting, "rest_of", lambda *_: made)
    monkeypatch.setattr(rewriting, "find_job", lambda *_: Job("a", OLTP.job, "RUNNING") if made.running else None)
    monkeypatch.setattr(rewriting, "stop_with_savepoint", made.stop)
    monkeypatch.setattr(rewriting, "ensure_submitted", made.submit)
    monkeypatch.setattr(rewriting, "await_published", made.published)
    return made


DELETE = "DELETE FROM store.oltp.orders"
ANEW = "INSERT OVERWRITE store.oltp.order_events SELECT DISTINCT * FROM store.oltp.order_events"


def test_a_statement_runs_in_the_place_of_the_job_and_by_a_name_that_whoever_submits_it_knows(world: World) -> None:
    rewriting.write_to_lake(world.stack, OLTP, DELETE)
    assert (world.did, world.names, world.running) == ([DELETE], [writer_of(OLTP)], True)
    assert not _mark(world.stack, OLTP).exists()


def test_a_job_that_somebody_else_stopped_stays_stopped(world: World) -> None:
    world.running = False
    with pytest.raises(NotReady):
        rewriting.write_to_lake(world.stack, OLTP, DELETE)
    assert not world.running and world.did == []


def test_where_the_statement_fails_the_job_goes_on(world: World) -> None:
    world.refuses = True
    with pytest.raises(StatementFailed):
        rewriting.write_to_lake(world.stack, OLTP, DELETE)
    # Whoever submits it looks whether the statement has ended.
    assert world.running and _mark(world.stack, OLTP).exists()


def test_nothing_is_written_without_a_savepoint_and_a_late_one_ends_no_job_for_good(world: World) -> None:
    """What the job has not committed yet would conflict with a table that was written anew."""
    world.no_savepoint = True
    with pytest.raises(DeadlineExpired):
        rewriting.write_to_lake(world.stack, OLTP, DELETE)
    assert (world.did, world.running) == (["cancelled a"], True)


def test_nothing_is_written_where_the_job_did_not_end_well(world: World) -> None:
    world.ends_as = "FAILED"
    with pytest.raises(NotReady, match="after its savepoint it is FAILED"):
        rewriting.write_to_lake(world.stack, OLTP, DELETE)
    assert (world.did, world.running) == ([], True)


def test_a_gateway_that_does_not_answer_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeproof.lake.query.paimon.start_gateway", lambda *_: None)
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"flink-sql-gateway": {"http": "127.0.0.1:9"}}))
    with pytest.raises(EngineUnreachable), paimon(stack):
        pass


def test_second_rows_go_from_the_tables_that_have_some(world: World) -> None:
    world.twice = {"oltp.order_events": 3, "oltp.orders": 5}  # one with a key is not looked at
    assert rewriting.remove_second_rows(world.stack, OLTP) == {"oltp.order_events": 3}
    assert world.did == [ANEW] and world.running
    assert rewriting.remove_second_rows(world.stack, OLTP) == {}
    assert world.did == [ANEW]


def test_of_each_database_its_own_tables(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "await_published", lambda *_: None)
    world.twice = {"oltp.order_events": 3, "shop.payment_events": 2, "shop.case_events": 1}
    assert rewriting.remove_second_rows(world.stack, SHOP) == {"shop.payment_events": 2, "shop.case_events": 1}
    assert world.names[1:] == [writer_of(SHOP)]
    assert [sql.rpartition(".")[2] for sql in world.did] == ["case_events", "payment_events"]


def test_an_empty_table_holds_nothing_twice(world: World) -> None:
    world.twice = {"oltp.order_events": None}
    assert rewriting.remove_second_rows(world.stack, OLTP) == {}


def test_it_ends_only_once_main_shows_it_also_in_the_second_call(world: World) -> None:
    """An audit's finding does not keep `main` as it is meanwhile (publish/service.py)."""
    world.twice, world.shown = {"oltp.order_events": 3}, False
    for rows in ("3 of oltp.order_events", "none"):
        with pytest.raises(NotReady, match=f"second rows taken out: {rows}; that is not seen on main yet"):
            rewriting.remove_second_rows(world.stack, OLTP)
    assert world.did == [ANEW]


class Database:
    """PostgreSQL at one instant. It may be asked only once the job is stopped."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys: dict[str, tuple[int, ...]] = {}

    @contextmanager
    def at_one_instant(self, *_: object) -> Iterator[Callable[[str], list[tuple[int, ...]]]]:
        assert not self.world.running

        def ask(sql: str) -> list[tuple[int, ...]]:
            if sql == "SELECT beat_us FROM capture.cdc_heartbeat":
                return [(77,)]
            return [(key,) for key in self.keys.get(sql.partition(" FROM ")[2], ())]

        yield ask


def test_after_all_rows_came_again_second_rows_go_and_those_that_the_database_has_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "_ROWS_A_STATEMENT", 2)
    monkeypatch.setattr(rewriting, "find_job", lambda *_: Job("a", OLTP.job, "RUNNING"))
    database = Database(world)
    monkeypatch.setattr(SHOP.module, "at_one_instant", database.at_one_instant)
    world.twice = {"shop.payment_events": 2}
    world.keys = {"shop.cases": (1, 2, 3, 4), "shop.payments": (5,)}
    database.keys = {"support.cases": (1, 9), "payment.payments": (5, 6)}
    taken = rewriting.take_out_what_is_not_in_the_source(world.stack, SHOP)
    assert taken == rewriting.TakenOut({"shop.payment_events": 2}, {"shop.cases": 3}, 77)
    assert world.did == [
        "INSERT OVERWRITE store.shop.payment_events SELECT DISTINCT * FROM store.shop.payment_events",
        "DELETE FROM store.shop.cases WHERE (`id` = 2) OR (`id` = 3)",
        "DELETE FROM store.shop.cases WHERE (`id` = 4)",
    ]
    assert world.running


def test_a_text_in_a_key_is_quoted_and_a_key_that_has_several_texts_is_left_alone(world: World) -> None:
    declared = (
        "CREATE TEMPORARY TABLE a (sku VARCHAR(8), place INT, PRIMARY KEY (sku, place) NOT ENFORCED)"
        " WITH ('table' = 't')"
    )
    file = SqlFile("a", (declared,))
    assert rewriting._is_one_of(file, [("it's", "7")]) == "(`sku` = 'it''s' AND `place` = 7)"
    file = SqlFile("a", (declared.replace("VARCHAR(8)", "DECIMAL(9, 2)"),))
    assert rewriting._keys(world, SHOP, file) == set()  # type: ignore[arg-type]


def test_what_was_taken_out_is_told_where_nobody_says_what_main_shows(world: World) -> None:
    world.twice, world.shown = {"oltp.order_events": 3}, False
    world.why = CouldNotLook("no answer", where="nessie")
    with pytest.raises(CouldNotLook, match=r"second rows taken out: 3 of oltp.order_events; .* no answer"):
        rewriting.remove_second_rows(world.stack, OLTP)


def test_one_repair_at_a_time_for_each_database_and_one_that_was_cut_off_first(world: World) -> None:
    with bridging(world.stack, OLTP), pytest.raises(NotReady, match="repairs the lake's tables of oltp"):
        rewriting.remove_second_rows(world.stack, OLTP)
    begin_passing_over(world.stack, OLTP)
    with pytest.raises(InvalidInput, match="bridge_topic_gap"):
        rewriting.remove_second_rows(world.stack, OLTP)
    assert world.did == []
