"""Tables that no ledger knows: what is looked at again and at which hash, which engines are asked of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.proof.tables.digest_readers import PAYMENTS, with_digests
from tests.published_commit import published_commit

from lakeproof.lake.job.added_columns import AddedColumn, Stage, note, path_of
from lakeproof.lake.publish.commit import DatabaseState, PublishedCommit
from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES, Source
from lakeproof.ledger.calls import now_us
from lakeproof.processes.parts import Parts
from lakeproof.proof.notes import Notes
from lakeproof.proof.tables import beside_ledger, other_tables
from lakeproof.proof.tables.beside_ledger import BesideLedger, Others
from lakeproof.proof.tables.buckets import Digest
from lakeproof.proof.tables.canonical import Column, Kind, Table, digest_of
from lakeproof.proof.tables.covering import Covering
from lakeproof.proof.tables.dialects import TRINO
from lakeproof.proof.tables.other_tables import Compared, FirstLook
from lakeproof.proof.tables.readers import Reader
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


@pytest.fixture(autouse=True)
def _all_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job writes no table beside those that the tests publish."""
    monkeypatch.setattr(beside_ledger, "table_names", lambda database: ())


def the_others(database: Source) -> Others:
    return Others(database, with_digests(database.engine), [PAYMENTS], 16, 0)


def test_spark_is_held_to_trino_and_one_that_gave_nothing_is_left_out() -> None:
    others, readers = the_others(SHOP), {name: with_digests(name) for name in ("mysql", "trino", "spark")}
    same, other = ({"payments": {0: Digest(1, full, 1)}} for full in (5, 6))
    stack, notes = object.__new__(Stack), Notes(lambda text: None)
    beside = BesideLedger(stack, notes, Covering(stack, notes, 0.0), ExitStack(), None)
    beside.compare(others, readers, {"postgres": same, "trino": same, "spark": other})
    (found,) = beside.agreements
    assert (found.violations, found.keys, notes.unknown) == (1, ("shop.payments, ids 0 to 15",), [])
    beside.compare(others, readers, {"postgres": same, "trino": same})
    beside.compare(others, readers, {"trino": same})
    assert beside.agreements == [found]
    assert [(one.table, one.engine) for one in beside.reports] == [
        ("shop.payments", "postgres"),
        ("shop.payments", "trino"),
    ] * 2


def test_flink_is_asked_only_where_it_is_the_only_engine() -> None:
    others = the_others(SHOP)
    assert [one for one in ("trino", "flink", "spark") if others.is_asked_of(one, "trino")] == ["trino", "spark"]
    assert others.is_asked_of("flink", "flink")


def published(name: str, beat_us: int) -> PublishedCommit:
    now = datetime.now(UTC)
    shop = DatabaseState(1, "9", beat_us, {PAYMENTS.name: 1}, now)
    return published_commit(name, now, 1, "0-1-2", beat_us, {PAYMENTS.name: 1}, now, {"shop": shop})


@pytest.mark.parametrize("database", SOURCES, ids=lambda one: one.name)
def test_what_differs_is_looked_at_again_at_a_hash_that_covers_the_first_look(
    monkeypatch: pytest.MonkeyPatch, database: Source
) -> None:
    opened: list[str] = []
    again: list[Reader] = []

    @contextmanager
    def snapshot(*asked: object) -> Iterator[Reader]:
        yield with_digests(database.engine)

    @contextmanager
    def lake_reader(stack: Stack, engine: str, commit: PublishedCommit, *asked: object) -> Iterator[Reader]:
        opened.append(f"{engine} at {commit.hash}")
        yield with_digests(engine)

    def compare_others(looked: FirstLook, look_again: Callable[[], tuple[Reader, Reader]], *_: str) -> Compared:
        assert (looked.tables, looked.database.engine, looked.lake.engine, looked.lake.schema) == (
            [PAYMENTS],
            database.engine,
            "trino",
            database.name,
        )
        again.extend(look_again())
        look_again()
        return Compared((), "trino", {}, 16)

    first = now_us()
    beats = (("old", -1), ("new", 1), ("new", 1), ("again", 2_000_001))
    states = iter([published(name, first + beat_us) for name, beat_us in beats])
    # The third look needs a hash that covers the second look at the database, two seconds after the first one.
    monkeypatch.setattr(beside_ledger, "now_us", lambda: first + 2_000_000 * bool(opened))
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", lambda stack: next(states))
    monkeypatch.setattr("lakeproof.proof.tables.covering.now_us", lambda: first + 9_000_000)
    monkeypatch.setattr(beside_ledger, "snapshot_of", snapshot)
    monkeypatch.setattr(beside_ledger, "lake_reader", lake_reader)
    monkeypatch.setattr(beside_ledger, "present", lambda stack: SOURCES)
    monkeypatch.setattr(other_tables, "compare_others", compare_others)
    monkeypatch.setattr(other_tables, "described", lambda of, database, name: PAYMENTS)
    stack, notes = Stack(Settings(name="none")), Notes(lambda text: None)
    readers = {"mysql": with_digests("mysql"), "trino": with_digests("trino")}
    with ExitStack() as until_judged:
        beside = BesideLedger(stack, notes, Covering(stack, notes, 9.0), until_judged, published("checked", first))
        found = {each.database: each for each in beside.tables(readers, first)}
        beside.compare(found[database], readers, {database.engine: {}, "trino": {}})
    assert (opened, notes.unknown) == (["trino at new", "trino at again"], [])
    assert [(one.engine, one.schema) for one in again] == [(database.engine, "oltp"), ("trino", database.name)]


MINUTE_US = 60_000_000


@pytest.mark.parametrize("beat_us", [-5 * MINUTE_US, 5 * MINUTE_US], ids=["behind", "ahead of the clock"])
def test_a_row_is_not_called_lost_by_a_hash_that_does_not_cover_the_look(
    monkeypatch: pytest.MonkeyPatch, beat_us: int
) -> None:
    """The publisher was five minutes behind: a payment of a minute ago was lost, and the check failed by it."""

    def with_rows(engine: str, *ids: int) -> Reader:
        def ask(sql: str) -> list[tuple[object, ...]]:
            one: list[tuple[object, ...]] = [
                ("0.payments", "0", 1, digest_of((id_,)), digest_of((id_,))) for id_ in ids
            ]
            return one if "GROUP BY" in sql else [(id_,) for id_ in ids]

        return Reader(engine, TRINO, ask)

    @contextmanager
    def opened(stack: Stack, engine: Source | str, *_: object) -> Iterator[Reader]:
        yield with_rows("trino") if engine == "trino" else with_rows("postgres", 1)

    now = now_us()
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", lambda stack: published("old", now + beat_us))
    monkeypatch.setattr("lakeproof.proof.tables.covering.now_us", lambda: now)
    monkeypatch.setattr(beside_ledger, "snapshot_of", opened)
    monkeypatch.setattr(beside_ledger, "lake_reader", opened)
    others = Others(SHOP, with_rows("postgres", 1), [PAYMENTS], 16, now - 1)
    digests = {each.engine: each.digests(16, [PAYMENTS]) for each in (with_rows("postgres", 1), with_rows("trino"))}
    stack, notes = Stack(Settings(name="none")), Notes(lambda text: None)
    with ExitStack() as until_judged:
        beside = BesideLedger(stack, notes, Covering(stack, notes, 0.0), until_judged, None)
        beside.compare(others, {"mysql": with_digests("mysql"), "trino": with_rows("trino")}, digests)
    assert [finding for report in beside.reports for finding in report.findings] == []
    assert [(report.table, report.engine, report.unsettled) for report in beside.reports] == [
        ("shop.payments", "postgres", 0),
        ("shop.payments", "trino", 1),
    ]
    (reason,) = notes.unknown
    assert reason.startswith("lake: nothing published of shop within 0 s covers now (300.0 s ")


def test_a_third_captured_database_is_looked_at_by_a_snapshot_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    third = replace(SHOP, name="crm", connector="crm")
    now = datetime.now(UTC)
    state = DatabaseState(1, None, now_us(), {PAYMENTS.name: 1}, now)
    commit = published_commit("ab", now, 1, None, now_us(), {PAYMENTS.name: 1}, now, {"shop": state, "crm": state})
    own = {source: with_digests(source.engine) for source in (SHOP, third)}

    @contextmanager
    def snapshot(stack: Stack, source: Source, seconds: float) -> Iterator[Reader]:
        yield own[source]

    monkeypatch.setattr(beside_ledger, "snapshot_of", snapshot)
    monkeypatch.setattr(beside_ledger, "present", lambda stack: (OLTP, SHOP, third))
    monkeypatch.setattr(other_tables, "described", lambda of, database, name: PAYMENTS)
    monkeypatch.setattr(beside_ledger, "declared_columns", lambda of, stack: {})
    stack, notes = Stack(Settings(name="none")), Notes(lambda text: None)
    readers = {"mysql": with_digests("mysql"), "trino": with_digests("trino")}
    with ExitStack() as until_judged:
        beside = BesideLedger(stack, notes, Covering(stack, notes, 0.0), until_judged, commit)
        found = {each.database: each.reader for each in beside.tables(readers, now_us())}
    assert notes.unknown == []
    assert found == {OLTP: readers["mysql"], **own}


@pytest.mark.parametrize("is_part", [True, False], ids=["stopped by hand", "of an earlier stack"])
def test_tables_that_are_published_and_captured_no_more_are_not_left_out_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_part: bool
) -> None:
    """After `lakeproof stop shop-capture` its tables grew stale on main, and the check passed over them."""
    monkeypatch.setattr(
        beside_ledger, "parts_of", lambda stack: Parts(frozenset({"shop-capture"} if is_part else ()))
    )
    monkeypatch.setattr(other_tables, "described", lambda of, database, name: PAYMENTS)
    stack, notes = Stack(Settings(name="none", state_dir=tmp_path)), Notes(lambda text: None)
    readers = {"mysql": with_digests("mysql"), "trino": with_digests("trino")}
    with ExitStack() as until_judged:
        commit = published("ab", now_us())
        beside = BesideLedger(stack, notes, Covering(stack, notes, 0.0), until_judged, commit)
        assert [each.database for each in beside.tables(readers, now_us())] == [OLTP]
    left_out = [
        "shop: its 1 published tables are not compared: shop-capture captures nothing now,"
        " so that they only grow older"
    ]
    assert (notes.unknown, notes.left_out) == ((left_out, []) if is_part else ([], left_out))


def noted(
    monkeypatch: pytest.MonkeyPatch, captured: tuple[Source, ...], parts: frozenset[str] | None, *of_shop: str
) -> tuple[list[Source], list[str], list[str]]:
    """What is compared beside the ledger, unknown and left out, where the hash holds these tables of PostgreSQL.

    parts: of the stack; None where nobody can tell.
    """
    now = datetime.now(UTC)
    shop = DatabaseState(1, None, now_us(), dict.fromkeys(of_shop, 1), now)
    commit = published_commit(
        "ab", now, 1, None, now_us(), {PAYMENTS.name: 1}, now, {"shop": shop} if of_shop else {}
    )

    @contextmanager
    def snapshot(*_: object) -> Iterator[Reader]:
        yield replace(with_digests("postgres"), schemas={PAYMENTS.name: "payment"})

    monkeypatch.setattr(beside_ledger, "present", lambda stack: captured)
    monkeypatch.setattr(beside_ledger, "parts_of", lambda stack: Parts(parts, "it hangs"))
    monkeypatch.setattr(beside_ledger, "snapshot_of", snapshot)
    monkeypatch.setattr(beside_ledger, "declared_columns", lambda of, stack: {})
    monkeypatch.setattr(other_tables, "described", lambda of, database, name: replace(PAYMENTS, name=name))
    stack, notes = Stack(Settings(name="none")), Notes(lambda text: None)
    readers = {"mysql": with_digests("mysql"), "trino": with_digests("trino")}
    with ExitStack() as until_judged:
        beside = BesideLedger(stack, notes, Covering(stack, notes, 0.0), until_judged, commit)
        return [each.database for each in beside.tables(readers, now_us())], notes.unknown, notes.left_out


def test_a_capture_that_is_part_of_the_stack_and_never_published_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its provisioning had failed, or it was stopped before its first state: the check passed without a word."""
    told = [
        "shop: none of its tables is published, and shop-capture, which is part of this stack, captures nothing now"
    ]
    assert noted(monkeypatch, (OLTP,), frozenset({"mysql", "shop-capture"})) == ([OLTP], told, [])


def test_a_stack_that_never_had_shop_capture_need_not_look_for_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert noted(monkeypatch, (OLTP,), frozenset({"mysql", "postgres"})) == ([OLTP], [], [])


def test_where_nobody_tells_whether_shop_capture_is_part_of_the_stack_it_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (compared, (reason,), left_out) = noted(monkeypatch, (OLTP,), None)
    assert (compared, left_out) == ([OLTP], []) and "it hangs" in reason


def test_a_table_that_the_job_does_not_write_yet_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published state lacked `refunds`, so that nothing asked whether PostgreSQL's rows are in the lake."""
    names = {"oltp": ("payments",), "shop": ("cdc_heartbeat", "payments", "refunds")}
    monkeypatch.setattr(beside_ledger, "table_names", names.get)
    parts = frozenset({"mysql", "shop-capture"})
    told = ["lake: of shop this hash does not hold refunds: nothing is compared there"]
    held = ("cdc_heartbeat", "payments")
    assert noted(monkeypatch, (OLTP, SHOP), parts, *held) == ([OLTP, SHOP], told, [])
    assert noted(monkeypatch, (OLTP, SHOP), parts, *held, "refunds") == ([OLTP, SHOP], [], [])
    # MariaDB's tables are asked for likewise.
    names["oltp"] = ("orders", "payments")
    told = ["lake: of oltp this hash does not hold orders: nothing is compared there"]
    assert noted(monkeypatch, (OLTP, SHOP), parts, *held, "refunds") == ([OLTP, SHOP], told, [])


def test_a_captured_database_of_which_nothing_is_published_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside_ledger, "table_names", {"oltp": (), "shop": ("payments", "refunds")}.get)
    told = ["lake: no table of shop is published yet"]
    assert noted(monkeypatch, (OLTP, SHOP), frozenset({"shop-capture"})) == ([OLTP], told, [])


ORDERS_NOW = Table(
    "orders",
    (Column("id", Kind.INTEGER), Column("status", Kind.TEXT), Column("gift_note", Kind.TEXT)),
    "id",
    ("id",),
)


def looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Table, of: Source, added: AddedColumn | None
) -> tuple[list[Table], list[str]]:
    """What is compared of that source beside the ledger, where the database describes `table`; what is unknown."""
    now = datetime.now(UTC)
    state = DatabaseState(1, None, now_us(), {table.name: 1}, now)
    commit = published_commit("ab", now, 1, None, now_us(), {table.name: 1}, now, {"shop": state})

    @contextmanager
    def snapshot(*_: object) -> Iterator[Reader]:
        yield replace(with_digests(of.engine), schemas={"payments": "payment"})

    stack, notes = Stack(Settings(name="none", state_dir=tmp_path)), Notes(lambda text: None)
    if added is not None:
        note(stack, of, added)
    monkeypatch.setattr(beside_ledger, "snapshot_of", snapshot)
    monkeypatch.setattr(beside_ledger, "present", lambda stack: (of,))
    monkeypatch.setattr(other_tables, "described", lambda of, database, name: table)
    readers = {"mysql": with_digests("mysql"), "trino": with_digests("trino")}
    with ExitStack() as until_judged:
        beside = BesideLedger(stack, notes, Covering(stack, notes, 0.0), until_judged, commit)
        found = [each for one in beside.tables(readers, now_us()) for each in one.tables]
    return found, notes.unknown


def test_a_column_that_was_added_to_a_table_of_the_ledgers_is_compared_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger knows nothing of it, so that its values could once have been anything."""
    added = AddedColumn("oltp.orders", "gift_note", "STRING", Stage.DONE, since=1.0)
    ((found,), unknown) = looked_at(tmp_path, monkeypatch, ORDERS_NOW, OLTP, added)
    assert ([column.name for column in found.columns], found.told, unknown) == (
        ["id", "gift_note"],
        "orders.gift_note",
        [],
    )


@pytest.mark.parametrize("since", [None, 9e12], ids=["not-deployed", "a-hash-of-before"])
def test_at_a_hash_of_before_the_job_read_it_the_column_is_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, since: float | None
) -> None:
    added = AddedColumn("oltp.orders", "gift_note", "STRING", Stage.DONE, since=since)
    assert looked_at(tmp_path, monkeypatch, ORDERS_NOW, OLTP, added) == ([], [])


def test_a_column_that_nobody_declared_is_said_and_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = replace(PAYMENTS, columns=(*PAYMENTS.columns, Column("fee", Kind.DECIMAL)))
    ((found,), unknown) = looked_at(tmp_path, monkeypatch, table, SHOP, None)
    assert [column.name for column in found.columns] == ["id"]
    assert unknown == [
        "payment.payments.fee: nobody declared it, so the lake lacks it: `lakeproof lake evolve payment.payments fee`"
    ]
    declared = AddedColumn("payment.payments", "fee", "DECIMAL(12, 2)", Stage.DONE, since=1.0)
    ((found,), unknown) = looked_at(tmp_path, monkeypatch, table, SHOP, declared)
    assert ([column.name for column in found.columns], unknown) == (["id", "fee"], [])


def test_a_broken_list_of_added_columns_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error once left the check: exit 1, as if orders were lost, and no report."""
    broken = path_of(Stack(Settings(name="none", state_dir=tmp_path)), OLTP)
    broken.parent.mkdir(parents=True)
    broken.write_text("[{")
    found, unknown = looked_at(tmp_path, monkeypatch, ORDERS_NOW, OLTP, None)
    (reason,) = unknown
    assert found == [] and reason.startswith(f"{broken}: not the list of added columns: ")
