"""The claim about published hashes, over a history that is made up."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.published_commit import published_commit

from lakeproof.checks import promised_hashes
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.nessie import NoSuchReference
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import Answer, StatementFailed
from lakeproof.stack.stack import Stack

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def counted_from_the_test_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash's time would be over where the suite takes longer than that until it comes to this file."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC))


def commit(number: int, minutes_left: float = 14.0) -> PublishedCommit:
    return published_commit(
        f"{number:064x}",
        NOW,
        number,
        snapshots={"orders": number, "order_items": number},
        readable_until=NOW + timedelta(minutes=minutes_left),
    )


@dataclass
class Lake:
    """main's log, newest first; how many rows of orders each hash shows, and what reading it raises. digests: what is
    added to the sum of a hash's digests, by its checkpoint.
    """

    log: list[PublishedCommit]
    rows: Callable[[PublishedCommit], int]
    read: list[int]
    digests: dict[int, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gone: str = ""
    """What Trino says of a table of the second database."""


@dataclass
class Trino:
    """Pinned to a hash. As Trino does, it gives nothing of a table without rows, and long decimals as text."""

    lake: Lake
    commit: PublishedCommit

    def run(self, sql: str, deadline: Deadline) -> Answer:
        self.lake.asked.append(sql)
        number = self.commit.plain.checkpoint
        digest = 7_000 + number + self.lake.digests.get(number, 0)
        rows = [["0.orders", "0", self.lake.rows(self.commit), str(digest), "1"]]
        if "information_schema" in sql:
            rows = [["oltp", "stock", "id"], ["oltp", "stock", "on hand"], ["shop", "cases", "id"]]
        if "checksum" in sql:
            gone = self.lake.gone if "cases" in sql else ""
            if gone:
                raise StatementFailed(gone, where="trino", next_action="")
            told = [["stock", 3, "AB"], ["shop.cases", 0, None]]
            rows = [row for row in told if f"'{row[0]}'" in sql]
        return Answer("trino", (), tuple(rows), 0.1)


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Lake:
    made = Lake([commit(number) for number in range(10, 0, -1)], lambda one: 100 * one.plain.checkpoint, [])

    @contextmanager
    def pinned_trino(stack: Stack, one: PublishedCommit, deadline: Deadline) -> Iterator[Trino]:
        made.read.append(one.plain.checkpoint)
        yield Trino(made, one)

    monkeypatch.setattr(history, "log", lambda stack, limit, **down_to: made.log[:limit])
    monkeypatch.setattr(promised_hashes, "pinned_trino", pinned_trino)
    return made


@pytest.fixture
def context(stack: Stack) -> CheckContext:
    return CheckContext(stack, Deadline(5))


def before(context: CheckContext) -> Baseline:
    return promised_hashes.PromisedHashesKept().baseline(context)


def after(context: CheckContext, taken: Baseline) -> Verdict:
    return promised_hashes.PromisedHashesKept().verify(context, taken)


def test_a_main_that_moved_on_over_the_same_history_passes(lake: Lake, context: CheckContext) -> None:
    taken = before(context)
    assert (taken.verdict.outcome, lake.read) == (Outcome.PASSED, [10, 6, 1])
    lake.log = [commit(12), commit(11), *lake.log]
    verdict = after(context, taken)
    assert (verdict.outcome, verdict.numbers["promised"], verdict.numbers["read"]) == (Outcome.PASSED, 10, 3)


def test_a_main_that_stands_still_fails(lake: Lake, context: CheckContext) -> None:
    verdict = after(context, before(context))
    assert (verdict.outcome, "has not moved" in verdict.summary) == (Outcome.FAILED, True)


def test_a_main_that_was_made_anew_fails(lake: Lake, context: CheckContext) -> None:
    taken = before(context)
    lake.log = [commit(20)]
    verdict = after(context, taken)
    assert (verdict.outcome, "10 of 10 promised hashes are gone" in verdict.summary) == (Outcome.FAILED, True)


def test_a_hash_that_is_gone_from_the_middle_fails(lake: Lake, context: CheckContext) -> None:
    taken = before(context)
    lake.log = [commit(11), *(one for one in lake.log if one.plain.checkpoint != 5)]
    verdict = after(context, taken)
    assert (verdict.outcome, "is not what it was" in verdict.summary) == (Outcome.FAILED, True)


def test_a_promised_hash_with_other_rows_or_without_its_files_fails(lake: Lake, context: CheckContext) -> None:
    taken = before(context)
    lake.log = [commit(11), *lake.log]

    def rows(one: PublishedCommit) -> int:
        if one.plain.checkpoint == 6:
            raise StatementFailed("ICEBERG_FILESYSTEM_ERROR: no such file", where="trino")
        return 99 if one.plain.checkpoint == 1 else 100 * one.plain.checkpoint

    lake.rows = rows
    verdict = after(context, taken)
    assert verdict.outcome is Outcome.FAILED
    assert "cannot be read" in verdict.summary
    assert "orders showed 100 rows, shows 99" in verdict.summary


def test_a_promised_hash_with_as_many_other_rows_fails(lake: Lake, context: CheckContext) -> None:
    taken = before(context)
    lake.log = [commit(11), *lake.log]
    assert after(context, taken).outcome is Outcome.PASSED
    lake.digests[6] = 1
    verdict = after(context, taken)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.summary == f"{commit(6).hash[:16]}: orders shows 600 rows as before, and they are others"


def test_a_hash_is_read_by_one_statement_over_every_column_of_its_tables(lake: Lake, context: CheckContext) -> None:
    lake.log = [commit(1)]
    before(context)
    (sql,) = lake.asked
    for column in ("client_key", "updated_at", "unit_price"):
        assert f'"{column}"' in sql
    assert "order_events" not in sql  # not published at this hash
    states = {name: replace(state, snapshots={"stock": 4}) for name, state in lake.log[0].states.items()}
    lake.log = [replace(lake.log[0], states=states)]
    taken = before(context)
    assert taken.values[lake.log[0].hash] == "stock 3 AB"
    assert lake.asked[2:] == [
        'SELECT \'stock\' AS table_name, count(*) AS row_count, to_hex(checksum(ROW("id", "on hand"))) AS digest'
        ' FROM "oltp"."stock"'
    ]


def with_shop(one: PublishedCommit, minutes_old: float = 0.0) -> PublishedCommit:
    """The second database's tables are in it too, as they were published so long before the others."""
    cases = replace(one.plain, snapshots={"cases": 3}, at=one.plain.at - timedelta(minutes=minutes_old))
    return replace(one, states={**one.states, "shop": cases})


def test_tables_of_the_second_database_are_read_too(lake: Lake, context: CheckContext) -> None:
    lake.log = [with_shop(commit(1))]
    taken = before(context)
    assert str(taken.values[lake.log[0].hash]).endswith("; shop.cases 0 -")
    lake.log = [with_shop(commit(2)), *lake.log]
    assert after(context, taken).outcome is Outcome.PASSED
    lake.gone = "a data file of shop.cases is missing"
    verdict = after(context, taken)
    assert verdict.outcome is Outcome.FAILED and "cannot be read: trino: a data file" in verdict.summary


@pytest.mark.parametrize("minutes_old", [9.0, 13.8])
def test_a_database_whose_own_promise_ends_sooner_is_read_for_so_long(
    lake: Lake, context: CheckContext, minutes_old: float
) -> None:
    """The second one was published long before; it is read where it stays readable until it is looked at again."""
    lake.log = [with_shop(commit(1), minutes_old)]
    taken = before(context)
    assert "shop" not in str(taken.values[lake.log[0].hash])
    lake.log, lake.gone = [with_shop(commit(2)), *lake.log], "gone"
    assert after(context, taken).outcome is Outcome.PASSED


def test_a_hash_whose_promise_ended_meanwhile_is_not_read(lake: Lake, context: CheckContext) -> None:
    taken = before(context)
    lake.read.clear()
    expired = [replace(one, readable_until=NOW) if one.plain.checkpoint < 7 else one for one in lake.log]
    lake.log = [commit(11), *expired]
    assert after(context, taken).outcome is Outcome.PASSED
    assert lake.read == [10]


def test_hashes_are_remembered_below_some_hours_of_newer_ones(lake: Lake, context: CheckContext) -> None:
    taken = before(context)
    lake.log = [*(commit(number) for number in range(5000, 10, -1)), *lake.log]
    assert after(context, taken).outcome is Outcome.PASSED


def test_after_a_fault_no_hash_of_now_stands_for_those_of_before(lake: Lake, context: CheckContext) -> None:
    taken = before(context)
    lake.log = [commit(11), *(replace(one, readable_until=NOW) for one in lake.log)]
    assert after(context, taken).outcome is Outcome.UNKNOWN


def test_with_nothing_broken_hashes_of_now_are_read_once_every_promise_of_before_ended(
    lake: Lake, context: CheckContext
) -> None:
    context = replace(context, fault_made=False)
    taken = before(context)
    lake.read.clear()
    expired = [replace(one, readable_until=NOW) for one in lake.log]
    lake.log = [commit(13), commit(12), commit(11), *expired]
    verdict = after(context, taken)
    assert (verdict.outcome, lake.read, verdict.numbers["read"]) == (Outcome.PASSED, [13, 12, 11], 3)
    assert "3 of those promised now can be read" in verdict.summary

    def lost(one: PublishedCommit) -> int:
        raise StatementFailed("ICEBERG_FILESYSTEM_ERROR: no such file", where="trino")

    lake.rows = lost
    assert after(context, taken).outcome is Outcome.FAILED
    lake.log = [replace(one, readable_until=NOW) for one in lake.log]
    assert after(context, taken).outcome is Outcome.UNKNOWN


def test_only_hashes_that_stay_promised_are_remembered_and_the_newest_always(
    lake: Lake, context: CheckContext
) -> None:
    lake.log = [commit(number, 3.0) for number in (3, 2, 1)]
    taken = before(context)
    assert (taken.verdict.numbers["promised"], lake.read) == (1, [3])


def test_nothing_published_or_nobody_who_answers_is_unknown(
    lake: Lake, context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = before(context)
    lake.log = []
    assert before(context).verdict.outcome is Outcome.UNKNOWN

    def silent(stack: Stack, limit: int, down_to: str = "") -> list[PublishedCommit]:
        raise CouldNotLook("no answer", where="nessie")

    monkeypatch.setattr(history, "log", silent)
    with pytest.raises(CouldNotLook):
        before(context)
    with pytest.raises(CouldNotLook):
        after(context, taken)


def test_a_main_that_was_deleted_fails(lake: Lake, context: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = before(context)

    def gone(stack: Stack, limit: int, down_to: str = "") -> list[PublishedCommit]:
        raise NoSuchReference("no branch main", where="nessie")

    monkeypatch.setattr(history, "log", gone)
    assert after(context, taken).outcome is Outcome.FAILED
