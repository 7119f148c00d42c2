"""The course of a check, with ledgers as files and engines that answer from memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.proof.tables.digest_readers import PAYMENTS, with_digests
from tests.published_commit import published_commit

from lakeproof.deadline import Deadline
from lakeproof.lake.job.added_columns import path_of
from lakeproof.lake.job.sql_files import table_names
from lakeproof.lake.nessie_commit import Commit
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import properties_of
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.flink import PinnedFlink
from lakeproof.lake.query.spark import SparkClient
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.ledger.calls import Event, now_us
from lakeproof.proof import checking
from lakeproof.proof.outcome import Outcome
from lakeproof.proof.report import CheckReport
from lakeproof.proof.tables.beside_ledger import BesideLedger, Others
from lakeproof.proof.tables.buckets import Digests, order_values
from lakeproof.proof.tables.canonical import TABLES
from lakeproof.proof.tables.dialects import FLINK, SPARK
from lakeproof.proof.tables.readers import Group, Reader
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.contacts import FOLDER, Contact, Kind
from lakeproof_shop.customers.ledger import Line
from lakeproof_shop.services.order.models import Item, Op, Order

HOUR_US = 3_600_000_000
PUBLISHED = "ab" * 32
AT = "2026-11-24T14:43:53.042722Z"
ORDER = Order(7, "k1", 42, "created", "12.30", 1, 1, AT, AT, (Item(11, 1, "sku-1", 2, "6.15"),))


def a_stack(folder: Path) -> Stack:
    """One of which nothing runs."""
    return Stack(Settings(mode="external", state_dir=folder, port_shift=45000))


def test_the_first_look_at_mariadbs_other_tables_is_of_a_moment_after_its_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment was once taken before it: a row that came in between could be called lost."""
    opened_us: list[int] = []
    seen: list[int] = []

    @contextmanager
    def snapshot(*asked: object) -> Iterator[Reader]:
        opened_us.append(now_us())
        yield with_digests("mysql")

    monkeypatch.setattr(checking, "snapshot_of", snapshot)

    def tables(beside: BesideLedger, readers: object, of_us: int) -> list[Others]:
        seen.append(of_us)
        return []

    monkeypatch.setattr(BesideLedger, "tables", tables)
    checking.check(a_stack(tmp_path), engines=(), cover_now=False)
    assert seen[0] >= opened_us[0]


type Check = Callable[..., CheckReport]
type Lake = Callable[..., AbstractContextManager[Reader]]


@pytest.fixture
def check_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Checks a ledger of these lines against empty tables, at a hash with that newest heartbeat, without waiting.

    above: commits above that hash on `main`, newest first. engine: which is asked of the lake; lake: what reads its
    tables there instead.
    """

    def check_of(
        *lines: Line,
        beat_us: int | None,
        gtid: str | None = "0-1-2",
        above: Sequence[Commit] = (),
        at_hash: str | None = None,
        cover_now: bool = False,
        engine: str = "trino",
        lake: Lake | None = None,
    ) -> CheckReport:
        @contextmanager
        def reader(stack: Stack, engine: object, *asked: object) -> Iterator[Reader]:
            yield with_digests(engine if isinstance(engine, str) else "mysql")

        now = datetime.now(UTC)
        newest = published_commit(PUBLISHED, now, 7, gtid, beat_us, dict.fromkeys(table_names("oltp"), 1), now)
        log = [*above, Commit(PUBLISHED, None, now, "checkpoint 7", properties_of(newest.states, "oltp"))]
        monkeypatch.setattr(history, "client_of", lambda stack: Nessie(log))
        monkeypatch.setattr(checking, "snapshot_of", reader)
        monkeypatch.setattr(checking, "lake_reader", lake or reader)
        monkeypatch.setattr(checking, "_STARTS", {})
        stack = a_stack(tmp_path)
        stack.ledger_dir.mkdir(parents=True, exist_ok=True)
        (stack.ledger_dir / "run.jsonl").write_bytes(b"".join(line.to_bytes() for line in lines))
        return checking.check(stack, at_hash=at_hash, engines=(engine,), cover_now=cover_now, cover_seconds=0.0)

    return check_of


class Nessie:
    """One whose `main` has these commits, newest first."""

    def __init__(self, log: Sequence[Commit]) -> None:
        self.log = log

    def history(self, name: str, limit: int, *, at_hash: str | None = None, at_a_time: int = 250) -> Iterator[Commit]:
        hashes = [commit.hash for commit in self.log]
        return iter(self.log[hashes.index(at_hash) if at_hash else 0 :][:limit])

    def close(self) -> None:
        pass


def a_line(event: Event, at_us: int, order: Order | None = ORDER, version: int = 1) -> Line:
    return Line(at_us, "run", "k1", Op.CREATE, 1, event, version, order)


def lost_in(report: CheckReport) -> set[str]:
    """The engines in which something is wrong."""
    return {table.engine for table in report.tables if table.findings}


def test_an_order_that_was_acknowledged_before_the_newest_heartbeat_is_lost_where_it_is_absent(
    check_of: Check,
) -> None:
    now = now_us()
    report = check_of(
        a_line(Event.INVOKE, now - HOUR_US), a_line(Event.OK, now - HOUR_US), beat_us=now - HOUR_US // 2
    )
    assert (report.outcome, lost_in(report), report.unknown) == (Outcome.FAILED, {"mysql", "trino"}, ())
    assert report.cut is not None and report.cut.excused == 0
    assert "newest heartbeat 1800." in report.cut.in_words
    assert report.cut.in_words.endswith("0 acknowledged calls are not older and need not be in it")


@pytest.mark.parametrize("beat_us", [None, 0])
def test_a_hash_without_a_heartbeat_excuses_everything_and_is_unknown(check_of: Check, beat_us: int | None) -> None:
    """All orders of the lake could be lost: with no heartbeat none had to be there, and the lake passed."""
    now = now_us()
    report = check_of(a_line(Event.INVOKE, now - HOUR_US), a_line(Event.OK, now - HOUR_US), beat_us=beat_us)
    assert lost_in(report) == {"mysql"}
    assert [reason for reason in report.reasons if "shows no heartbeat" in reason]
    cut = report.as_json()["cut"]
    assert cut == {
        "nessie_hash": PUBLISHED,
        "checkpoint": 7,
        "heartbeat_us": None,
        "age_seconds": None,
        "excused": 1,
        "other_ages_seconds": {},
    }
    assert report.cut is not None and "no heartbeat; 1 acknowledged calls" in report.cut.in_words


@pytest.mark.parametrize("others", [False, True], ids=["the ledger's tables", "and others"])
def test_an_order_whose_items_are_still_to_be_read_for_the_first_time_is_no_failure(
    check_of: Check, monkeypatch: pytest.MonkeyPatch, *, others: bool
) -> None:
    """The first read brings table after table. "0 of 1 items" and a lost line made the outcome failed."""
    whole: dict[str, list[tuple[object, ...]]] = {
        "orders": [order_values(ORDER)],
        "order_items": [(11, 7, 1, "sku-1", 2, "6.15")],
        "order_events": [(5, 7, 1, "created", 1)],
    }
    begun = {table: rows if table == "orders" else [] for table, rows in whole.items()}
    broken: list[tuple[object, ...]] = [(7, 1, 1, 0, "12.30", "0.00", 1, 1, 1, 0, 1, 2)]
    asked: list[str] = []

    def judged(reader: Reader) -> list[tuple[object, ...]]:
        asked.append(reader.engine)
        return broken if reader.engine == "trino" else []

    def digests_of(reader: Reader, groups: Sequence[Group]) -> list[Digests]:
        assert groups, f"{reader.engine} is asked for the digests of no table"
        return [{table.name: {} for table in group.tables} for group in groups]

    def tables(beside: BesideLedger, readers: Mapping[str, Reader], of_us: int) -> list[Others]:
        return [Others(OLTP, readers["mysql"], [PAYMENTS], 16, of_us)] if others else []

    monkeypatch.setattr(BesideLedger, "tables", tables)
    monkeypatch.setattr(Reader, "digests_of", digests_of)
    monkeypatch.setattr(Reader, "broken", judged)
    monkeypatch.setattr(Reader, "rows", lambda reader, *_: whole if reader.engine == "mysql" else begun)
    now = now_us()
    lines = (a_line(Event.INVOKE, now - HOUR_US), a_line(Event.OK, now - HOUR_US))
    report = check_of(*lines, beat_us=None, gtid=None)
    assert (report.outcome, lost_in(report), report.broken, asked) == (Outcome.UNKNOWN, set(), (), ["mysql"])
    assert [reason for reason in report.unknown if "are being read for the first time" in reason]
    # The very same rows fail a state that shows transactions.
    report = check_of(*lines, beat_us=now - 2 * HOUR_US)
    assert (report.outcome, lost_in(report), len(report.broken)) == (Outcome.FAILED, {"trino"}, 1)
    assert not [reason for reason in report.unknown if "for the first time" in reason]


def test_a_call_that_was_acknowledged_after_the_heartbeat_is_excused_and_counted(check_of: Check) -> None:
    now = now_us()
    lines = (a_line(Event.INVOKE, now - HOUR_US), a_line(Event.OK, now - HOUR_US))
    report = check_of(*lines, beat_us=now - 2 * HOUR_US)
    assert lost_in(report) == {"mysql"}
    assert report.cut is not None and (report.cut.excused, round(report.cut.age_seconds or 0)) == (1, 7200)


def test_a_ledger_whose_lines_are_later_than_now_makes_the_check_unknown(check_of: Check) -> None:
    """An order that was acknowledged in a minute need not be anywhere yet: it hid its own loss."""
    ahead = now_us() + 60_000_000
    report = check_of(a_line(Event.INVOKE, ahead), a_line(Event.OK, ahead), beat_us=now_us())
    assert (report.outcome, lost_in(report)) == (Outcome.UNKNOWN, set())
    (reason,) = report.unknown
    assert reason.startswith("ledger: 2 lines are over 1 s later than now")


def test_a_contacts_ledger_whose_lines_are_later_than_now_makes_the_check_unknown(
    check_of: Check, tmp_path: Path
) -> None:
    told = Contact(now_us() + 60_000_000, "run", "c1", Kind.COMPLAINT, Event.INVOKE, 42, 7, "late")
    folder = a_stack(tmp_path).ledger_dir / FOLDER
    folder.mkdir(parents=True)
    (folder / "run.jsonl").write_bytes(told.to_bytes())
    report = check_of(beat_us=now_us())
    assert [reason for reason in report.unknown if reason.startswith("contacts' ledger: 1 lines")]


def test_an_acknowledgement_of_something_else_than_was_asked_for_fails_the_check(check_of: Check) -> None:
    now = now_us()
    other = replace(ORDER, total="99.00")
    lines = (a_line(Event.INVOKE, now - HOUR_US), a_line(Event.OK, now - HOUR_US, other))
    report = check_of(*lines, beat_us=now - 2 * HOUR_US)
    (claim,) = (claim for claim in report.across if claim.claim == checking.AS_ASKED)
    assert (claim.judged, claim.keys) == (1, ("k1: create at version 1: total 12.30 → 99.00",))
    assert report.outcome is Outcome.FAILED


@pytest.mark.parametrize("cover_now", [False, True], ids=["no-wait", "wait"])
def test_what_somebody_wrote_on_main_above_the_published_hash_is_unknown(check_of: Check, *, cover_now: bool) -> None:
    """`main` showed what a person had made of `orders`; the check read the hash below it, and passed."""
    theirs = Commit("cd" * 32, PUBLISHED, datetime.now(UTC), "DELETE FROM orders", {}, "a person")

    def told(report: CheckReport) -> list[str]:
        return [reason for reason in report.unknown if reason.startswith("lake: main shows")]

    report = check_of(beat_us=now_us(), above=[theirs], cover_now=cover_now)
    assert (report.nessie_hash, report.outcome) == (PUBLISHED, Outcome.UNKNOWN)
    assert told(report) == [
        f"lake: main shows {'cd' * 8}, which a person wrote above the published hash, and which is not judged."
        " Next: lakeproof lake rollback"
    ]
    assert told(check_of(beat_us=now_us(), cover_now=cover_now)) == []
    # Who names a hash asks of that one.
    assert told(check_of(beat_us=now_us(), above=[theirs], at_hash=PUBLISHED)) == []


def test_an_empty_ledger_against_empty_tables_has_judged_nothing(check_of: Check) -> None:
    report = check_of(beat_us=now_us())
    assert (report.outcome, report.unknown) == (Outcome.UNKNOWN, ())
    assert report.reasons == ("nothing judged: the ledger knows no order, and the tables hold no row",)


def test_a_table_that_an_engine_cannot_read_does_not_hide_what_the_ledger_knows(
    check_of: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement is asked for all tables: a column that is missing in the lake fails it."""

    def tables(beside: BesideLedger, readers: Mapping[str, Reader], of_us: int) -> list[Others]:
        return [Others(OLTP, readers["mysql"], [PAYMENTS], 16, of_us)]

    def digests_of(reader: Reader, groups: Sequence[Group]) -> list[Digests]:
        if reader.engine == "trino" and PAYMENTS in [table for group in groups for table in group.tables]:
            raise StatementFailed("COLUMN_NOT_FOUND: no such column", where="trino")
        return [{table.name: {} for table in group.tables} for group in groups]

    monkeypatch.setattr(BesideLedger, "tables", tables)
    monkeypatch.setattr(Reader, "digests_of", digests_of)
    now = now_us()
    report = check_of(
        a_line(Event.INVOKE, now - HOUR_US), a_line(Event.OK, now - HOUR_US), beat_us=now - HOUR_US // 2
    )
    assert lost_in(report) == {"mysql", "trino"}
    assert [reason for reason in report.unknown if "COLUMN_NOT_FOUND" in reason] == list(report.unknown)


@pytest.mark.parametrize("engine", ["flink", "spark"])
def test_an_engine_that_is_late_with_one_answer_does_not_hide_what_the_database_lost(
    check_of: Check, engine: str
) -> None:
    """The error of its HTTP client once left the check: no table was told, and the loss came out as "unknown"."""

    def answer(request: httpx.Request) -> httpx.Response:
        if b"GROUP BY" in request.content:
            raise httpx.ReadTimeout("timed out", request=request)
        return httpx.Response(200, json={"operationHandle": "1", "resultType": "EOS", "rows": [], "end": True})

    @contextmanager
    def late(*asked: object) -> Iterator[Reader]:
        with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://late") as client:
            asking = PinnedFlink(client, "7") if engine == "flink" else SparkClient(client, "ab")
            dialect = FLINK if engine == "flink" else SPARK
            yield Reader(engine, dialect, lambda sql: asking.run(sql, Deadline(10)).rows)

    now = now_us()
    lines = (a_line(Event.INVOKE, now - HOUR_US), a_line(Event.OK, now - HOUR_US))
    report = check_of(*lines, beat_us=now - HOUR_US // 2, engine=engine, lake=late)
    assert (report.outcome, lost_in(report)) == (Outcome.FAILED, {"mysql"})
    assert [reason.partition(". Next")[0] for reason in report.unknown] == [
        f"{engine} at http://late: no answer (ReadTimeout)"
    ]


def test_a_broken_list_of_added_columns_does_not_hide_what_the_ledger_knows(
    check_of: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error once left the check: exit 1 and no report, whether orders were lost or not."""
    monkeypatch.setattr("lakeproof.proof.tables.beside_ledger.present", lambda stack: (OLTP,))
    broken = path_of(a_stack(tmp_path), OLTP)
    broken.parent.mkdir(parents=True)
    broken.write_text("[{")
    now = now_us()
    report = check_of(
        a_line(Event.INVOKE, now - HOUR_US), a_line(Event.OK, now - HOUR_US), beat_us=now - HOUR_US // 2
    )
    assert (report.outcome, lost_in(report)) == (Outcome.FAILED, {"mysql", "trino"})
    assert [reason.partition(": Exp")[0] for reason in report.unknown] == [f"{broken}: not the list of added columns"]


def test_of_two_databases_in_one_server_each_is_asked_for_its_own_tables(
    check_of: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = with_digests("mysql")
    asked: list[tuple[str, list[str]]] = []

    def tables(beside: BesideLedger, readers: Mapping[str, Reader], of_us: int) -> list[Others]:
        crm = replace(OLTP, name="crm", first=False)
        return [
            Others(OLTP, readers["mysql"], [PAYMENTS], 16, of_us),
            Others(crm, second, [PAYMENTS], 16, of_us),
        ]

    def digests_of(reader: Reader, groups: Sequence[Group]) -> list[Digests]:
        name = "second" if reader is second else reader.engine
        asked.append((name, [f"{group.schema}.{table.name}" for group in groups for table in group.tables]))
        return [{table.name: {} for table in group.tables} for group in groups]

    monkeypatch.setattr(BesideLedger, "tables", tables)
    monkeypatch.setattr(Reader, "digests_of", digests_of)
    check_of(beat_us=now_us())
    of_ledger = [f"oltp.{table.name}" for table in TABLES]
    assert dict(asked) == {
        "mysql": [*of_ledger, "oltp.payments"],
        "second": ["crm.payments"],
        "trino": [*of_ledger, "oltp.payments", "crm.payments"],
    }


def test_the_cut_tells_the_age_of_each_captured_databases_heartbeat() -> None:
    now, looked_us = datetime.now(UTC), now_us()
    newest = published_commit("ab" * 32, now, 7, None, looked_us, {}, now)
    shop = replace(newest.plain, beat_us=looked_us - 90_000_000)
    silent = replace(newest.plain, beat_us=None)
    commit = replace(newest, states={**newest.states, "shop": shop, "silent": silent})
    captured = [OLTP, SHOP, replace(SHOP, name="silent")]
    cut = checking._cut(commit, looked_us, 3, captured)
    assert {name: age and round(age) for name, age in cut.other_ages_seconds.items()} == {"shop": 90, "silent": None}
    assert "the look; shop: newest heartbeat 90.0 s before the look; silent: no heartbeat; 3 ack" in cut.in_words
    # One that is not captured any more stays at its last state, and has no age that means something.
    assert checking._cut(commit, looked_us, 3, [OLTP]).other_ages_seconds == {}
