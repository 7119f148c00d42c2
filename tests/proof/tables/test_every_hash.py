"""Every published hash is judged once, in order; what nobody could look at is told."""

import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.published_commit import published_commit

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.proof.tables import every_hash
from lakeproof.proof.tables.every_hash import AT_ONCE, IN_ONE_STATEMENT, EveryHash, Torn, judge
from lakeproof.proof.tables.states import states_of
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.order_claims import NEWEST_EVENT, BrokenOrder

STACK = Stack(Settings(name="none"))
HELD = ("orders", "order_items", "order_events")


def commit(number: int, *, snapshot: int | None = None, readable: bool = True) -> PublishedCommit:
    now = datetime.now(UTC)
    until = now + timedelta(seconds=60 if readable else -60)
    snapshots = dict.fromkeys(HELD, snapshot or number)
    return published_commit(f"hash-{number}", now, number, "0-1-1", None, snapshots, until)


class Trino:
    """Answers with one broken order for each place in `torn`; refuses a statement over several when told to."""

    def __init__(self) -> None:
        self.torn: set[int] = set()
        self.statements: list[str] = []
        self.catalogs = 0
        self.knows_only_the_newest = False
        self.times = 1

    @contextmanager
    def pinned(self, stack: Stack, newest: PublishedCommit, deadline: Deadline) -> Any:
        self.pinned_at = newest.hash
        self.catalogs += 1
        yield self

    def run(self, sql: str, deadline: Deadline) -> Any:
        self.statements.append(sql)
        # place → the snapshot of orders that is read at it
        states = re.findall(
            r"(\d+) AS place, id .* FROM oltp.orders FOR VERSION AS OF BIGINT '(\d+)'",
            sql.replace(" UNION ALL ", "\n"),
        )
        if self.knows_only_the_newest and len(states) > 1:
            raise StatementFailed("Iceberg snapshot ID does not exists: 1", where="trino")
        row = (7, 1, 2, 1, "2.00", "1.00", 1, 1, 1, 0, 1, 2)
        rows = [(int(place), *row) for place, number in states if int(number) in self.torn]
        return type("Answer", (), {"rows": rows * self.times})()


@pytest.fixture
def trino(monkeypatch: pytest.MonkeyPatch) -> Trino:
    made = Trino()
    monkeypatch.setattr(every_hash, "pinned_trino", made.pinned)
    return made


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    published: list[PublishedCommit] = [commit(0)]

    def since(stack: Stack, after: str) -> list[PublishedCommit]:
        return published[[each.hash for each in published].index(after) + 1 :]

    monkeypatch.setattr(history, "since", since)
    return lambda *commits: published.extend(commits)


def numbers(torn: Sequence[Torn]) -> list[int]:
    return [one.commit.plain.checkpoint for one in torn]


def test_a_hash_that_was_torn_for_one_checkpoint_is_found_among_whole_ones(
    trino: Trino, publish: Callable[..., None]
) -> None:
    trino.torn = {3, 9}
    publish(*(commit(number) for number in range(1, 33)))
    following = EveryHash(STACK, "hash-0")
    assert numbers(following.look(Deadline(60))) == [3, 9]
    assert (following.judged, following.waiting, following.not_looked) == (32, 0, 0)
    assert trino.catalogs == -(-32 // AT_ONCE)
    states = [statement.count("oltp.orders ") for statement in trino.statements]
    assert (sum(states), max(states)) == (32, IN_ONE_STATEMENT)
    publish(commit(33))
    assert following.look(Deadline(60)) == []
    assert (following.judged, numbers(following.torn), trino.pinned_at) == (33, [3, 9], "hash-33")


def test_what_could_not_be_judged_waits_for_the_next_look(
    trino: Trino, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trino.torn = {7}
    publish(*(commit(number) for number in range(1, 9)))
    following = EveryHash(STACK, "hash-0")
    with monkeypatch.context() as away:
        away.setattr(trino, "run", lambda sql, deadline: (_ for _ in ()).throw(CouldNotLook("away")))
        with pytest.raises(CouldNotLook):
            following.look(Deadline(60))
    assert (following.judged, following.waiting) == (0, 8)
    assert following.look(Deadline(0)) == []
    assert (following.judged, following.waiting) == (0, 8)
    assert numbers(following.look(Deadline(60))) == [7]
    assert (following.judged, following.waiting) == (8, 0)
    assert trino.catalogs == 1 + 2  # eight states in one got no answer, so four in each
    assert [statement.count("oltp.orders ") for statement in trino.statements] == [3, 1, 3, 1]


def test_what_was_answered_before_a_statement_without_an_answer_counts(
    trino: Trino, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an audit whose last statement is always late would judge the same hashes for ever, and get no further."""
    trino.torn = {2, 7}
    publish(*(commit(number) for number in range(1, 9)))
    following = EveryHash(STACK, "hash-0")
    ask = trino.run

    def second_is_late(sql: str, deadline: Deadline) -> Any:
        if trino.statements:
            raise CouldNotLook("late")
        return ask(sql, deadline)

    with monkeypatch.context() as late, pytest.raises(CouldNotLook):
        late.setattr(trino, "run", second_is_late)
        following.look(Deadline(60))
    assert (following.judged, following.waiting, following.after) == (3, 5, "hash-3")
    assert numbers(following.torn) == [2]
    assert numbers(following.look(Deadline(60))) == [7]
    assert (following.judged, following.waiting, numbers(following.torn)) == (8, 0, [2, 7])


def test_hashes_whose_files_may_be_gone_and_too_many_waiting_ones_are_not_looked_at(
    trino: Trino, publish: Callable[..., None]
) -> None:
    trino.torn = {1, 2, 3}
    publish(commit(1), commit(2, readable=False), commit(3), commit(4))
    following = EveryHash(STACK, "hash-0")
    assert numbers(following.look(Deadline(60), most=3)) == [3]
    assert (following.judged, following.not_looked, following.waiting) == (2, 2, 0)


def test_where_old_snapshots_are_no_longer_known_each_hash_is_pinned_by_itself(trino: Trino) -> None:
    trino.torn, trino.knows_only_the_newest = {1}, True
    assert numbers(judge(STACK, [commit(1), commit(2)])) == [1]
    assert len(trino.statements) == 3


def test_two_hashes_of_one_state_are_asked_about_once_and_both_told(trino: Trino) -> None:
    trino.torn = {5}
    found = judge(STACK, [commit(1, snapshot=5), commit(2, snapshot=5)])
    assert numbers(found) == [1, 2]
    assert found[0].broken[0] == BrokenOrder(
        "every order has all its items, and their sum", 7, "1 of 2 items, 1.00 of 2.00"
    )
    assert trino.statements[0].count("oltp.orders ") == 1


def test_a_hash_that_is_broken_all_over_hides_no_other_one(trino: Trino, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer has a limit, which one hash could use up: each half is asked then by itself."""
    monkeypatch.setattr(every_hash, "MOST", 3)
    trino.torn, trino.times = {1}, 3
    assert numbers(judge(STACK, [commit(1), commit(2), commit(3)])) == [1]
    assert len(trino.statements) == 3


def test_while_nobody_buys_many_hashes_are_one_statement(trino: Trino, publish: Callable[..., None]) -> None:
    """Each of them moved the heartbeat's table alone, about which nothing is claimed."""

    def beat(number: int) -> PublishedCommit:
        same = commit(number, snapshot=1)
        moved = replace(same.plain, snapshots={**same.plain.snapshots, "cdc_heartbeat": number})
        return replace(same, states={"oltp": moved})

    publish(*(beat(number) for number in range(1, 31)))
    following = EveryHash(STACK, "hash-0")
    assert following.look(Deadline(60)) == []
    assert (following.judged, following.waiting, len(trino.statements)) == (30, 0, 1)


def test_hashes_lie_in_one_statement_only_where_the_newest_ones_metadata_still_knows_the_oldest(
    trino: Trino, publish: Callable[..., None]
) -> None:
    """A snapshot that it does not know would fail the statement, and both halves of it would be asked anew."""
    publish(*(commit(number, snapshot=20 * number) for number in range(1, 8)))
    assert EveryHash(STACK, "hash-0").look(Deadline(60)) == []
    assert [statement.count("oltp.orders ") for statement in trino.statements] == [2, 2, 2, 1]


def test_after_a_state_that_was_brought_back_by_hand_a_new_statement_begins(
    trino: Trino, publish: Callable[..., None]
) -> None:
    """Its tables' metadata is older than the hash before, and does not know its snapshots."""
    publish(commit(1, snapshot=20), commit(2, snapshot=5), commit(3, snapshot=6))
    assert EveryHash(STACK, "hash-0").look(Deadline(60)) == []
    assert [statement.count("oltp.orders ") for statement in trino.statements] == [1, 2]


def test_a_state_that_was_judged_a_moment_ago_is_told_and_not_read_again(
    trino: Trino, publish: Callable[..., None]
) -> None:
    last = commit(3)
    publish(commit(1), commit(2), last)
    broken = (BrokenOrder(NEWEST_EVENT, 7, "known"),)
    following = EveryHash(STACK, "hash-0", known=dict.fromkeys(states_of(last), broken))
    assert following.look(Deadline(60)) == [Torn(last, broken)]
    assert (following.judged, [text.count("oltp.orders ") for text in trino.statements]) == (3, [2])
    # Nothing but known states: no statement at all.
    publish(replace(last, hash="hash-4"))
    assert numbers(following.look(Deadline(60))) == [3]
    assert (following.judged, len(trino.statements)) == (4, 1)


def with_shop(number: int, snapshot: int) -> PublishedCommit:
    """That hash, with PostgreSQL's tables at a snapshot of their own."""
    plain = commit(number)
    shop = replace(plain.plain, snapshots=dict.fromkeys(("payments", "payment_events"), snapshot))
    return replace(plain, states={**plain.states, "shop": shop})


def test_the_states_of_each_database_are_asked_apart_and_each_once(
    trino: Trino, publish: Callable[..., None]
) -> None:
    """Nine hashes, of which PostgreSQL's tables moved at every third."""
    publish(*(with_shop(number, number // 3) for number in range(3, 12)))
    following = EveryHash(STACK, "hash-0")
    assert following.look(Deadline(60)) == []
    assert (following.judged, trino.catalogs) == (9, 1)
    asked = [(text.count("oltp.orders "), text.count("shop.payments ")) for text in trino.statements]
    assert sorted(asked) == [(0, 3), (3, 0), (3, 0), (3, 0)]
    # Of parcels and cases these hashes hold no table.
    assert not any("shop.cases" in text or "shop.fulfillments" in text for text in trino.statements)


def test_a_part_of_a_transaction_of_postgresql_is_told_at_each_hash_that_shows_it(
    trino: Trino, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(sql: str, deadline: Deadline) -> Any:
        parts = sql.replace(" UNION ALL ", "\n")
        found = re.findall(r"(\d+) AS place, 'payment' .* FROM shop.payments FOR VERSION AS OF BIGINT '(\d+)'", parts)
        rows = [(int(place), "payment", 5, 1, 1, 2, 2, 2, 0, 0) for place, number in found if number == "2"]
        return type("Answer", (), {"rows": rows})()

    monkeypatch.setattr(trino, "run", run)
    publish(with_shop(1, 1), with_shop(2, 2), with_shop(3, 2), with_shop(4, 3))
    found = EveryHash(STACK, "hash-0").look(Deadline(60))
    assert [one.commit.hash for one in found] == ["hash-2", "hash-3"]
    assert [each.subject for one in found for each in one.broken] == ["payment 5"] * 2


def test_a_follower_of_one_database_leaves_out_what_moved_anothers_and_gets_past_it(
    trino: Trino, publish: Callable[..., None]
) -> None:
    moved = [
        replace(with_shop(number, number), moved="shop" if number % 3 == 0 else "oltp") for number in range(1, 9)
    ]
    publish(*moved)
    following = EveryHash(STACK, "hash-0", databases=["shop"])
    assert following.look(Deadline(60)) == []
    # A hash of another database comes last: the next look need not begin before it.
    assert (following.judged, following.waiting, following.after) == (2, 0, "hash-8")
    assert not any("oltp." in text for text in trino.statements)


def test_a_hash_that_a_database_moved_of_which_this_version_does_not_know_is_left_out(
    trino: Trino, publish: Callable[..., None]
) -> None:
    publish(commit(1), replace(commit(2), moved="crm"), commit(3))
    following = EveryHash(STACK, "hash-0")
    assert following.look(Deadline(60)) == []
    assert (following.judged, following.not_looked, following.after) == (2, 0, "hash-3")


def test_hashes_of_a_first_read_count_apart_and_are_no_gap(trino: Trino, publish: Callable[..., None]) -> None:
    """A benchmark or a kill series may begin in the first seconds of a new stack."""
    first = [replace(one, states={"oltp": replace(one.plain, gtid=None)}) for one in (commit(1), commit(2))]
    publish(*first, commit(3))
    following = EveryHash(STACK, "hash-0")
    assert following.look(Deadline(60)) == []
    assert (following.judged, following.first_read, following.not_looked, following.waiting) == (1, 2, 0, 0)


def test_how_far_another_databases_tables_moved_on_splits_no_catalog(
    trino: Trino, publish: Callable[..., None]
) -> None:
    """Between two states of PostgreSQL's tables MariaDB's move on by five snapshots and more."""
    publish(*(replace(with_shop(30 * number, number), moved="shop") for number in range(1, 7)))
    assert EveryHash(STACK, "hash-0", databases=["shop"]).look(Deadline(60)) == []
    assert (trino.catalogs, len(trino.statements)) == (1, 2)
