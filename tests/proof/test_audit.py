"""The minute's audit: which hashes it judges, and what becomes of what it finds."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.published_commit import published_commit

from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import DatabaseState, PublishedCommit
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.proof import audit
from lakeproof.proof.audit import audit_published
from lakeproof.proof.tables import every_hash
from lakeproof.proof.tables.states import Asked, InState, State
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.history_claims import NEWEST_CHANGE, BrokenHistory
from lakeproof_shop.proof.order_claims import NEWEST_EVENT, BrokenOrder

STEP = timedelta(minutes=1)
READABLE = 450 * STEP + STEP / 2  # half a step for the test itself, on a machine that is slow
STACK = Stack(Settings(name="none"))
# Rows of the claims' statements. Order 7 is gone, its one event is not that of a deletion.
IN_SOURCE = (0, 7, 0, 0, 0, "0.00", "0.00", 0, 1, 1, 0, 1, 2)
# Payment 5 is at version 1 and has two events.
PAYMENT_IN_SOURCE = (0, "payment", 5, 1, 1, 2, 2, 2, 0, 0)


class Lake:
    """A `main` with one hash each minute, the last one now, each readable for READABLE.

    torn: hash → the orders that are broken at it. torn_payments: the same of payments. source: database → what its
    claims' statement gives.
    """

    def __init__(self, hashes: int) -> None:
        now = datetime.now(UTC)
        published = [(n, now - (hashes - n) * STEP) for n in range(1, hashes + 1)]
        self.commits = [
            published_commit(f"{n:04d}", at, n, "0-1-1", None, {"orders": n}, at + READABLE) for n, at in published
        ]
        self.torn: dict[str, list[int]] = {}
        self.torn_payments: dict[str, list[int]] = {}
        self.read: list[str] = []
        self.source: dict[str, list[tuple[Any, ...]]] = {}
        self.asked_sources: list[str] = []
        self.silent: set[str] = set()

    def publish_shop(
        self, place: int, snapshot: int, *, at: datetime | None = None, gtid: str | None = "771"
    ) -> None:
        """PostgreSQL's tables stand at this snapshot from the hash of that place on, which moved them."""
        state = DatabaseState(1, gtid, None, {"payments": snapshot}, at or self.commits[place].at)
        for number, commit in enumerate(self.commits[place:], start=place):
            moved = SHOP.name if number == place else commit.moved
            self.commits[number] = replace(commit, states={**commit.states, SHOP.name: state}, moved=moved)

    def newest(self, stack: Stack) -> PublishedCommit:
        return self.commits[-1]

    def log(self, stack: Stack, limit: int) -> list[PublishedCommit]:
        return self.commits[::-1][:limit]

    def since(self, stack: Stack, after: str) -> list[PublishedCommit]:
        hashes = [commit.hash for commit in self.commits]
        if after not in hashes:
            raise history.NoSuchHash("no such commit")
        return self.commits[hashes.index(after) + 1 :]

    def ask(self, stack: Stack, asked: Sequence[Asked], broken: dict[State, InState], *_: object) -> None:
        """As Trino would tell it, of different states."""
        for each in asked:
            nessie_hash = each.commit.hash
            if each.claims.source is OLTP:
                self.read.append(nessie_hash)
                orders = self.torn.get(nessie_hash, ())
                broken[each.state] = tuple(BrokenOrder(NEWEST_EVENT, order, "no order, 1 events") for order in orders)
            else:
                self.read.append(f"shop at {nessie_hash}")
                payments = self.torn_payments.get(nessie_hash, ())
                broken[each.state] = tuple(
                    BrokenHistory(NEWEST_CHANGE, "payment", payment, "version 1, 2 events") for payment in payments
                )

    @contextmanager
    def snapshot(self, stack: Stack, source: Source, seconds: float) -> Any:
        self.asked_sources.append(source.name)
        if source.name in self.silent:
            raise CouldNotLook("no answer")
        rows = self.source.get(source.name, [])
        yield type("Reader", (), {"schemas": {}, "ask": lambda reader, sql: rows})()


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Lake]:
    def make(hashes: int) -> Lake:
        made = Lake(hashes)
        for name in ("newest", "log", "since"):
            monkeypatch.setattr(history, name, getattr(made, name))
        monkeypatch.setattr(every_hash, "_ask", made.ask)
        monkeypatch.setattr(audit, "snapshot_of", made.snapshot)
        return made

    return make


def test_a_hash_in_the_middle_that_is_torn_is_a_finding_though_the_newest_is_whole(
    lake: Callable[[int], Lake],
) -> None:
    main = lake(40)
    main.torn = {"0023": [7, 8]}
    audited = audit_published(STACK, OLTP, "0010")
    assert audited.finding is not None
    assert audited.finding.startswith("2 broken at 0023 and whole in the source: order 7: no order")
    assert (audited.judged, audited.not_looked, audited.through) == (30, 0, "0040")
    assert (audited.of_newest, audited.freezes) == (False, False)
    assert main.read[0] == "0040"
    assert sorted(main.read) == [f"{n:04d}" for n in range(11, 41)]


def test_an_older_hash_of_the_newest_ones_state_is_judged_by_it_and_not_read(lake: Callable[[int], Lake]) -> None:
    main = lake(5)
    main.commits[2] = replace(main.commits[2], states=main.commits[4].states)
    assert audit_published(STACK, OLTP, "0001").finding is None
    assert main.read == ["0005", "0002", "0004"]
    main.torn = {"0005": [7]}
    audited = audit_published(STACK, OLTP, "0001")
    assert audited.of_newest and audited.freezes and audited.finding is not None
    assert audited.finding.startswith("1 broken at 0005 (and 1 more hashes)")


def test_what_the_source_shows_just_so_is_no_finding(lake: Callable[[int], Lake]) -> None:
    main = lake(5)
    main.torn, main.source = {"0003": [7]}, {"oltp": [IN_SOURCE]}
    assert audit_published(STACK, OLTP, "0001").finding is None
    main.torn = {"0003": [7, 9], "0004": [9]}
    finding = audit_published(STACK, OLTP, "0001").finding
    assert finding is not None
    assert finding.startswith("1 broken at 0003 (and 1 more hashes) and whole in the source: order 9")
    assert set(main.asked_sources) == {"oltp"}


def test_what_the_source_shows_broken_in_another_way_excuses_nothing(lake: Callable[[int], Lake]) -> None:
    """An order that lacks an item in the source, and the order itself in the lake."""
    main = lake(5)
    main.torn, main.source = {"0003": [7]}, {"oltp": [(0, 7, 1, 2, 1, "10.00", "5.00", 1, 1, 1, 0, 1, 2)]}
    finding = audit_published(STACK, OLTP, "0001").finding
    assert finding is not None and "order 7" in finding


def test_a_torn_newest_hash_is_told_though_an_older_one_cannot_be_judged(
    lake: Callable[[int], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    main = lake(5)
    main.torn = {"0005": [7]}

    def ask(stack: Stack, asked: Sequence[Asked], broken: dict[State, InState], *_: object) -> None:
        if asked[0].commit != main.commits[-1]:
            raise CouldNotLook("no answer within 60 s")
        main.ask(stack, asked, broken)

    monkeypatch.setattr(every_hash, "_ask", ask)
    audited = audit_published(STACK, OLTP, "0001")
    assert audited.freezes and audited.finding is not None and "0005" in audited.finding
    assert audited.waiting > 0 and not audited.got_on


def test_an_audit_that_knows_of_none_before_judges_all_that_is_still_promised_to_be_readable(
    lake: Callable[[int], Lake],
) -> None:
    main = lake(500)
    audited = audit_published(STACK, OLTP, None)
    assert (audited.judged, audited.not_looked, min(main.read)) == (451, 0, "0050")


def test_hashes_that_are_no_longer_promised_to_be_readable_are_told_as_not_looked_at(
    lake: Callable[[int], Lake],
) -> None:
    main = lake(500)
    audited = audit_published(STACK, OLTP, "0001")
    assert (audited.judged, audited.passed_over, audited.waiting, audited.got_on) == (451, 48, 0, True)
    assert min(main.read) == "0050"


def test_a_hash_that_shows_a_part_of_a_transaction_of_postgresql_alone_is_a_finding(
    lake: Callable[[int], Lake],
) -> None:
    main = lake(10)
    for place in range(2, 9, 2):
        main.publish_shop(place, place)
    main.torn = {"0006": [7]}
    main.torn_payments = {"0005": [5]}
    audited = audit_published(STACK, SHOP, "0002")
    assert audited.finding == "1 broken at 0005 and whole in the source: payment 5: version 1, 2 events"
    # The four hashes that moved its tables; what MariaDB's hashes show of them was judged with these.
    assert (audited.judged, audited.not_looked, audited.through) == (4, 0, "0010")
    assert main.read == ["shop at 0010", "shop at 0003", "shop at 0005", "shop at 0007"]
    assert main.asked_sources == ["shop"]
    main.source = {"shop": [PAYMENT_IN_SOURCE]}
    assert audit_published(STACK, SHOP, "0002").finding is None
    assert audit_published(STACK, OLTP, "0002").finding == (
        "1 broken at 0006 and whole in the source: order 7: no order, 1 events"
    )


@pytest.fixture
def torn_in_both(lake: Callable[[int], Lake]) -> Lake:
    """Order 7 and payment 5 are torn at the newest hash, which PostgreSQL's tables moved."""
    main = lake(10)
    main.publish_shop(9, 1)
    main.torn, main.torn_payments = {"0010": [7]}, {"0010": [5]}
    return main


def test_what_is_torn_in_postgresqls_tables_is_told_and_freezes_nothing(torn_in_both: Lake) -> None:
    shop, oltp = audit_published(STACK, SHOP, "0005"), audit_published(STACK, OLTP, "0005")
    assert shop.finding == "1 broken at 0010 and whole in the source: payment 5: version 1, 2 events"
    assert oltp.finding == "1 broken at 0010 and whole in the source: order 7: no order, 1 events"
    assert (shop.freezes, oltp.freezes) == (False, True)
    assert (shop.of_newest, oltp.of_newest) == (True, True)


def test_a_source_that_gives_no_answer_leaves_its_own_audit_unknown(torn_in_both: Lake) -> None:
    torn_in_both.silent = {"shop"}
    with pytest.raises(CouldNotLook):
        audit_published(STACK, SHOP, "0005")
    assert audit_published(STACK, OLTP, "0005").freezes


def test_tables_that_are_read_for_the_first_time_show_rows_and_no_transactions(lake: Callable[[int], Lake]) -> None:
    main = lake(10)
    main.publish_shop(3, 1, gtid=None)
    main.publish_shop(5, 2)
    main.torn_payments = {"0004": [5]}
    audited = audit_published(STACK, SHOP, "0002")
    # Of the first of the two hashes that moved them nothing is known.
    assert (audited.finding, audited.judged, audited.passed_over) == (None, 1, 1)
    main.publish_shop(9, 3, gtid=None)
    with pytest.raises(CouldNotLook, match="shop are being read for the first time"):
        audit_published(STACK, SHOP, "0002")
    main.commits = [replace(one, states={"oltp": replace(one.plain, gtid=None)}) for one in main.commits]
    for source in (OLTP, SHOP):
        with pytest.raises(CouldNotLook, match="read for the first time"):
            audit_published(STACK, source, "0002")


def test_more_broken_in_a_source_than_is_asked_for_leaves_the_audit_unknown(
    torn_in_both: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them the answer holds is chance, and all others would look whole."""
    monkeypatch.setattr(audit, "MOST", 1)
    torn_in_both.source = {"oltp": [(0, 8, *IN_SOURCE[2:])]}
    with pytest.raises(CouldNotLook, match="1 or more"):
        audit_published(STACK, OLTP, "0005")


def test_where_mariadbs_tables_stand_still_postgresqls_are_judged_as_long_as_they_are_promised(
    lake: Callable[[int], Lake],
) -> None:
    main = lake(10)
    old = main.commits[0].at - 2 * READABLE
    main.commits = [
        replace(one, states={"oltp": replace(one.plain, at=old)}, readable_until=old + READABLE)
        for one in main.commits
    ]
    for place in range(1, 10):
        main.publish_shop(place, place)
    main.torn_payments = {"0005": [5]}
    audited = audit_published(STACK, SHOP, None)
    assert audited.finding is not None and audited.finding.startswith("1 broken at 0005")
    assert (audited.judged, audited.passed_over) == (9, 0)


def test_an_audit_that_cannot_list_what_was_published_passes_nothing(
    lake: Callable[[int], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake(5)
    monkeypatch.setattr(history, "since", lambda stack, after: (_ for _ in ()).throw(CouldNotLook("nessie")))
    audited = audit_published(STACK, OLTP, "0002")
    assert (audited.waiting, audited.got_on, audited.through) == (1, False, "0002")


def test_a_main_that_was_set_back_is_told_and_followed_anew(lake: Callable[[int], Lake]) -> None:
    lake(10)
    audited = audit_published(STACK, OLTP, "gone")
    assert (audited.judged, audited.not_looked, audited.through) == (9, 1, "0010")
