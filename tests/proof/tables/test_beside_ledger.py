"""Tables that no ledger knows: what is looked at again and at which hash, which engines are asked of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest
from tests.proof.tables.digest_readers import PAYMENTS, with_digests

from lakeproof.customers.calls import now_us
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish.commit import DatabaseState, PublishedCommit
from lakeproof.lake.sources.source import OLTP, SOURCES, Source
from lakeproof.proof.notes import Notes
from lakeproof.proof.tables import beside_ledger, other_tables
from lakeproof.proof.tables.beside_ledger import BesideLedger
from lakeproof.proof.tables.canonical import Table
from lakeproof.proof.tables.covering import Covering
from lakeproof.proof.tables.dialects import FLINK, SPARK
from lakeproof.proof.tables.other_tables import Compared
from lakeproof.proof.tables.readers import Reader, Rows
from lakeproof.stack.stack import Stack


def test_spark_is_asked_beside_trino_flink_is_not_and_one_that_is_away_makes_it_unknown() -> None:
    rows = (("payments", 0, 5),)
    trino = with_digests("trino", *rows)

    def away(sql: str) -> Rows:
        raise CouldNotLook("no answer", where="spark")

    compared = Compared((), "trino", trino.digests(16, [PAYMENTS]), 16)
    stack, notes = object.__new__(Stack), Notes(lambda text: None)
    beside = BesideLedger(stack, notes, Covering(stack, notes, 0.0), ExitStack(), None, {})
    readers = {"mysql": trino, "trino": trino, "flink": Reader("flink", FLINK, away)}
    beside._keep(compared, [PAYMENTS], readers | {"spark": with_digests("spark", ("payments", 0, 6))}, "shop.")
    (found,) = beside.agreements
    assert (found.violations, found.keys, notes.unknown) == (1, ("shop.payments, ids 0 to 15",), [])
    beside._keep(compared, [PAYMENTS], readers | {"spark": Reader("spark", SPARK, away)}, "shop.")
    assert beside.agreements == [found] and notes.unknown == ["spark: no answer"]


def published(name: str, beat_us: int) -> PublishedCommit:
    now = datetime.now(UTC)
    shop = DatabaseState(1, None, beat_us, {PAYMENTS.name: 1}, now)
    return PublishedCommit(name, now, 1, None, beat_us, {PAYMENTS.name: 1}, now, {"shop": shop})


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

    def compare_others(
        tables: Sequence[Table], ours: Reader, lake: Reader, look_again: Callable[[], tuple[Reader, Reader]], *_: str
    ) -> Compared:
        assert (tables, ours.engine, lake.engine, lake.schema) == (
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
    for name in ("mariadb_snapshot", "postgres_snapshot"):
        monkeypatch.setattr(beside_ledger, name, snapshot)
    monkeypatch.setattr(beside_ledger, "lake_reader", lake_reader)
    monkeypatch.setattr(beside_ledger, "present", lambda stack: SOURCES)
    monkeypatch.setattr(other_tables, "compare_others", compare_others)
    for name in ("described", "described_by_postgres"):
        monkeypatch.setattr(other_tables, name, lambda database, name: PAYMENTS)
    stack, notes = object.__new__(Stack), Notes(lambda text: None)
    readers = {"mysql": with_digests("mysql"), "trino": with_digests("trino")}
    with ExitStack() as until_judged:
        beside = BesideLedger(
            stack, notes, Covering(stack, notes, 9.0), until_judged, published("checked", first), readers
        )
        if database == OLTP:
            beside.look_at_mariadb(first)
        else:
            beside.look_at_postgres()
    assert (opened, notes.unknown) == (["trino at new", "trino at again"], [])
    assert [(one.engine, one.schema) for one in again] == [(database.engine, "oltp"), ("trino", database.name)]
