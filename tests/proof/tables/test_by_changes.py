"""What changed since a judged state tells the same of a later one as reading it whole.

Over random histories of a lake's files, in which transactions are torn, rows are deleted behind our back, files are
compacted and tables are set back.
"""

import random
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from tests.published_commit import published_commit

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history as history_of_main
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.manifests import DataFile, ManifestReader, MissingFile
from lakeproof.lake.publish.metadata import SNAPSHOTS_KEPT
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.proof.audit import audit_published
from lakeproof.proof.tables import by_changes, every_hash
from lakeproof.proof.tables.by_changes import MOST_BROKEN, Changes, Files, judge_by_changes, ranges_of
from lakeproof.proof.tables.every_hash import IN_VAIN, EveryHash, Torn
from lakeproof.proof.tables.states import Asked, InState, State
from lakeproof.proof.tables.whole_claims import CLAIMS, Broken, WholeClaims
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.order_claims import BrokenOrder

type Row = tuple[Any, ...]

COLUMNS = {
    "orders": "id, item_count, total, version",
    "order_items": "id, order_id, quantity, unit_price",
    "order_events": "id, order_id, version, type",
    "payments": "id, version",
    "payment_events": "id, payment_id, version, type",
    "fulfillments": "id, version",
    "fulfillment_events": "id, fulfillment_id, version, type",
    "cases": "id, version, created_at",
    "case_events": "id, case_id, version, type",
    "case_messages": "id, case_id, at",
    "case_attachments": "id, case_id, at",
}
OF_ORDERS, OF_SHOP = CLAIMS
STACK = Stack(Settings(name="none"))
READABLE = timedelta(minutes=15)
COMMIT = published_commit("hash", datetime(2026, 11, 30, tzinfo=UTC))


@dataclass
class Table:
    """Data file → its rows, and data file → the places of those that its deletion vector removes."""

    files: dict[str, list[Row]] = field(default_factory=dict)
    removed: dict[str, set[int]] = field(default_factory=dict)

    def copy(self) -> "Table":
        return Table(dict(self.files), {path: {*places} for path, places in self.removed.items()})

    def live(self) -> list[tuple[str, Row]]:
        return [
            (path, row)
            for path, rows in self.files.items()
            for place, row in enumerate(rows)
            if place not in self.removed.get(path, ())
        ]

    def remove(self, chosen: Iterable[Row]) -> None:
        gone = {*chosen}
        for path, rows in self.files.items():
            places = {place for place, row in enumerate(rows) if row in gone}
            if places:
                self.removed[path] = self.removed.get(path, set()) | places

    def add(self, path: str, rows: Sequence[Row]) -> None:
        if rows:
            self.files[path] = [*rows]

    def compact(self, path: str) -> None:
        rows = [row for _, row in self.live()]
        self.files, self.removed = {}, {}
        self.add(path, rows)

    def told(self) -> Files:
        return Files(
            {path: len(rows) for path, rows in self.files.items()},
            {path: len(places) for path, places in self.removed.items()},
        )


class Lake:
    """A lake of one database's judged tables, in SQLite; stands for Trino and for the manifests.

    knows: how many of a table's newest snapshots the metadata of a hash knows.
    """

    def __init__(self, claims: WholeClaims, knows: int = 1_000_000) -> None:
        self.knows = knows
        self.judged = self.read_whole = self.least_rows = 0
        self.pinned_at: Mapping[str, int] = {}
        self.claims = claims
        self.now = {table: Table() for table in claims.judged}
        self.kept: dict[tuple[str, int], Table] = {}
        self.snapshots = dict.fromkeys(claims.judged, 0)
        self.statements: list[str] = []
        self._paths = count()
        self._database = sqlite3.connect(":memory:")

    def path(self) -> str:
        return f"s3://lake/o'clock/data-{next(self._paths)}.parquet"

    def commit(self, tables: Iterable[str]) -> None:
        """A new snapshot of these tables."""
        for table in tables:
            self.snapshots[table] += 1
            snapshot = self.snapshots[table]
            self.kept[table, snapshot] = self.now[table].copy()
            name = f"{table}_{snapshot}"
            self._database.execute(f'CREATE TABLE {name} ({COLUMNS[table]}, "$path")')
            for path, row in self.now[table].live():
                self._database.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * (len(row) + 1))})", (*row, path))

    def state(self) -> Asked:
        return self.at(self.snapshots)

    def at(self, snapshots: Mapping[str, int]) -> Asked:
        state = (self.claims.source.name, tuple(snapshots.get(table) for table in self.claims.judged))
        return Asked(state, self.claims, COMMIT)

    def run(self, sql: str, deadline: Deadline) -> Any:
        self.statements.append(sql)
        for table, snapshot in re.findall(r"\w+\.(\w+) FOR VERSION AS OF BIGINT '(\d+)'", sql):
            if not self._is_known(table, int(snapshot)):
                raise StatementFailed(f"no snapshot {snapshot} of {table}", where="trino")
        here = re.sub(r"\w+\.(\w+) FOR VERSION AS OF BIGINT '(\d+)'", r"\1_\2", sql)
        return type("Answer", (), {"rows": [list(row) for row in self._database.execute(here)]})()

    def _is_known(self, table: str, snapshot: int) -> bool:
        return snapshot > self.pinned_at.get(table, snapshot) - self.knows

    def files_of(
        self, commit: PublishedCommit, database: str, wanted: Sequence[Mapping[str, int]]
    ) -> list[dict[str, Files]]:
        for table, snapshot in (each for snapshots in wanted for each in snapshots.items()):
            if not self._is_known(table, snapshot):
                raise MissingFile(f"snapshot {snapshot} of {table}")
        return [
            {table: self.kept[table, snapshot].told() for table, snapshot in snapshots.items()}
            for snapshots in wanted
        ]

    @contextmanager
    def pinned(self, stack: Stack, commit: PublishedCommit, deadline: Deadline) -> Any:
        self.pinned_at = commit.tables_of(self.claims.source.name)
        yield self
        self.pinned_at = {}

    def whole(self, asked: Asked) -> InState:
        (found,) = self.claims.broken_by_place(
            self.run(self.claims.lake_sql([asked.snapshots]), Deadline(60)).rows, 1
        )
        return found

    def judge(self, asked: Sequence[Asked], known: dict[State, InState]) -> None:
        """By what changed alone."""
        lake: Any = self
        known |= judge_by_changes(lake, COMMIT, asked, known, lake, Deadline(60)) or {}


class Shop:
    """Whole transactions on some orders: per order its row, its items and its events."""

    def __init__(self, lake: Lake, dice: random.Random) -> None:
        self.lake, self.dice = lake, dice
        self.orders: dict[int, int] = {}  # id → version
        self.ids = count(1)

    def transaction(self) -> dict[str, tuple[list[Row], list[Row]]]:
        """Of each table the rows that go and those that come."""
        chosen = self.dice.random()
        if not self.orders or chosen < 0.6:
            order, version, items = next(self.ids), 1, 2
            self.orders[order] = 1
            return {
                "orders": ([], [(order, items, 20, 1)]),
                "order_items": ([], [(next(self.ids), order, 1, 10) for _ in range(items)]),
                "order_events": ([], [(next(self.ids), order, version, "created")]),
            }
        order = self.dice.choice([*self.orders])
        version = self.orders[order] + 1
        old = [row for _, row in self.lake.now["orders"].live() if row[0] == order]
        kind = "deleted" if chosen > 0.9 else "changed"
        event = (next(self.ids), order, version, kind)
        if kind == "deleted":
            del self.orders[order]
            items_of = [row for _, row in self.lake.now["order_items"].live() if row[1] == order]
            return {"orders": (old, []), "order_items": (items_of, []), "order_events": ([], [event])}
        self.orders[order] = version
        new = [(order, old[0][1], old[0][2], version)] if old else []
        return {"orders": (old, new), "order_events": ([], [event])}


def apply(lake: Lake, table: str, changed: tuple[list[Row], list[Row]]) -> None:
    gone, came = changed
    lake.now[table].remove(gone)
    lake.now[table].add(lake.path(), came)


def history(seed: int, states: int = 40) -> tuple[Lake, list[Asked]]:
    """States of a lake of orders; most are whole."""
    dice, lake = random.Random(seed), Lake(OF_ORDERS)
    shop = Shop(lake, dice)
    late: list[tuple[str, tuple[list[Row], list[Row]]]] = []
    found: list[Asked] = []
    for _ in range(states):
        for table, changed in late:
            apply(lake, table, changed)
        late = []
        for _ in range(dice.randint(0, 5)):
            parts = [*shop.transaction().items()]
            if dice.random() < 0.05:
                late.append(parts.pop(dice.randrange(len(parts))))  # a part that comes a state later: torn until then
            for table, changed in parts:
                apply(lake, table, changed)
        table = dice.choice(OF_ORDERS.judged)
        strange = dice.random()
        if strange < 0.10:  # deleted behind our back
            live = lake.now[table].live()
            lake.now[table].remove([dice.choice(live)[1]] if live else [])
        elif strange < 0.25:
            lake.now[table].compact(lake.path())
        elif strange < 0.30 and lake.snapshots[table] > 1:  # set back, as a new snapshot
            lake.now[table] = lake.kept[table, dice.randint(1, lake.snapshots[table])].copy()
        elif strange < 0.32 and seed % 8 == 0:  # of its table no later state is judged by what changed
            lake.now["order_items"].add(lake.path(), [(next(shop.ids), None, 1, 10)])
        lake.commit(OF_ORDERS.judged if dice.random() < 0.7 or not found else [table])
        found.append(lake.state())
    return lake, found


@pytest.mark.parametrize("seed", range(40))
def test_what_changed_tells_the_same_as_a_whole_look(seed: int) -> None:
    lake, states = history(seed)
    dice = random.Random(seed)
    known: dict[State, InState] = {}
    left = states
    by_changes_alone = torn = 0
    while left:
        many = dice.randint(1, 6)
        some, left = left[:many], left[many:]
        lake.judge(some, known)
        for each in some:
            whole = lake.whole(each)
            torn += bool(whole)
            if each.state in known:
                assert {*known[each.state]} == {*whole}, each.state
                by_changes_alone += 1
            known[each.state] = whole
    assert by_changes_alone > (0 if seed % 8 == 0 else len(states) / 5)
    assert torn


def known_of(lake: Lake, asked: Asked) -> dict[State, InState]:
    return {asked.state: lake.whole(asked)}


def two_orders() -> tuple[Lake, dict[State, InState]]:
    """Two whole orders without items, in one file each of orders and events; judged."""
    lake = Lake(OF_ORDERS)
    apply(lake, "orders", ([], [(1, 0, 0, 1), (2, 0, 0, 1)]))
    apply(lake, "order_events", ([], [(101, 1, 1, "created"), (102, 2, 1, "created")]))
    lake.commit(OF_ORDERS.judged)
    return lake, known_of(lake, lake.state())


def test_what_changed_is_asked_in_three_statements() -> None:
    lake, states = history(3, 6)
    known = known_of(lake, states[0])
    lake.statements.clear()
    lake.judge(states[1:], known)
    assert {*known} == {each.state for each in states}
    keys, claims, counts = lake.statements
    assert "$path" in keys
    assert "BETWEEN" in claims
    assert "COUNT" in counts and "BETWEEN" in counts
    assert lake.judged == 5


def test_without_a_state_that_they_came_from_nothing_is_told() -> None:
    lake, states = history(3, 6)
    known: dict[State, InState] = {}
    lake.judge(states, known)
    assert known == {}
    known = known_of(lake, states[-1])
    lake.judge([states[2]], known)  # older than what is known
    assert states[2].state not in known


def test_from_a_state_that_may_have_been_told_in_part_no_other_is_judged() -> None:
    lake, states = history(3, 6)
    known: dict[State, InState] = {states[0].state: (BrokenOrder("claim", 1, ""),) * (MOST_BROKEN + 1)}
    lake.judge(states[1:], known)
    assert [*known] == [states[0].state]


def test_where_nothing_changed_nothing_is_asked() -> None:
    lake, states = history(3, 6)
    known = known_of(lake, states[-1])
    lake.commit(OF_ORDERS.judged)
    lake.statements.clear()
    lake.judge([lake.state()], known)
    assert known[lake.state().state] == known[states[-1].state]
    assert lake.statements == []


def test_a_row_deleted_behind_our_back_is_left_for_a_whole_look() -> None:
    """No new file tells of it; the number of rows does."""
    lake, states = history(3, 6)
    known = known_of(lake, states[-1])
    (_, row), *_ = lake.now["order_events"].live()
    lake.now["order_events"].remove([row])
    lake.commit(["order_events"])
    gone = lake.state()
    lake.judge([gone], known)
    assert gone.state not in known


def test_a_table_that_was_set_back_is_left_for_a_whole_look_where_as_many_rows_came_back_as_went() -> None:
    lake = Lake(OF_ORDERS)
    apply(lake, "orders", ([], [(1, 0, 0, 1)]))
    apply(lake, "order_events", ([], [(2, 1, 1, "created")]))
    lake.commit(OF_ORDERS.judged)
    at_first = lake.now["orders"].copy()
    apply(lake, "orders", ([(1, 0, 0, 1)], [(1, 0, 0, 2)]))
    apply(lake, "order_events", ([], [(3, 1, 2, "changed")]))
    lake.commit(OF_ORDERS.judged)
    known = known_of(lake, lake.state())
    assert [*known.values()] == [()]

    lake.now["orders"] = at_first
    lake.commit(["orders"])
    back = lake.state()
    assert lake.whole(back) != ()
    lake.judge([back], known)
    assert back.state not in known


def test_what_was_broken_and_did_not_change_is_broken_still_and_what_was_mended_is_not() -> None:
    lake = Lake(OF_ORDERS)
    apply(lake, "orders", ([], [(1, 0, 0, 1), (5000, 0, 0, 1)]))
    lake.commit(OF_ORDERS.judged)
    known = known_of(lake, lake.state())
    assert [each.key for each in lake.whole(lake.state())] == [1, 5000]
    apply(lake, "order_events", ([], [(3, 5000, 1, "created")]))
    lake.commit(["order_events"])
    lake.judge([lake.state()], known)
    assert [each.key for each in known[lake.state().state]] == [1]


def test_payments_parcels_and_cases_are_asked_about_each_by_its_own_ids() -> None:
    lake = Lake(OF_SHOP)
    apply(lake, "payments", ([], [(7, 1)]))
    apply(lake, "payment_events", ([], [(1, 7, 1, "authorized")]))
    lake.commit(OF_SHOP.judged)
    known = known_of(lake, lake.state())
    assert [*known.values()] == [()]
    apply(lake, "fulfillments", ([], [(7, 1)]))
    lake.commit(["fulfillments"])
    lake.judge([lake.state()], known)
    assert [(each.noun, each.key) for each in known[lake.state().state]] == [("parcel", 7)]
    asked = next(sql for sql in lake.statements if "BETWEEN" in sql)
    assert "FROM (SELECT * FROM shop.payments FOR VERSION AS OF BIGINT '1' WHERE 1 = 0)" in asked
    assert "fulfillment_id BETWEEN 7 AND 7" in asked


@pytest.mark.parametrize(
    "error", [MissingFile("a manifest"), StatementFailed("no such snapshot", where="trino"), ValueError("not Avro")]
)
def test_where_what_changed_cannot_be_told_a_state_is_left_for_a_whole_look(
    monkeypatch: pytest.MonkeyPatch, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    lake, states = history(3, 6)
    known = known_of(lake, states[0])

    def of(*_: object) -> list[dict[str, Files]]:
        raise error

    monkeypatch.setattr(lake, "files_of", of)
    lake.judge(states[1:], known)
    assert [*known] == [states[0].state]
    assert "so it is read whole" in caplog.text


def test_a_trino_that_is_silent_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    lake, states = history(3, 6)
    known = known_of(lake, states[0])

    def run(sql: str, deadline: Deadline) -> Any:
        raise CouldNotLook("no answer")

    monkeypatch.setattr(lake, "run", run)
    with pytest.raises(CouldNotLook):
        lake.judge(states[1:], known)


def test_a_change_of_most_of_a_table_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_changes, "MOST_KEYS", 2)
    lake, states = history(3, 6)
    known = known_of(lake, states[0])
    lake.judge(states[1:], known)
    assert [*known] == [states[0].state]


def test_more_broken_than_an_answer_holds_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_changes, "MOST", 1)
    lake = Lake(OF_ORDERS)
    lake.commit(OF_ORDERS.judged)
    known = known_of(lake, lake.state())
    apply(lake, "orders", ([], [(1, 0, 0, 1)]))
    lake.commit(["orders"])
    lake.judge([lake.state()], known)
    assert lake.state().state not in known


def test_what_a_compaction_wrote_anew_is_not_asked_about() -> None:
    lake = Lake(OF_ORDERS)
    for order in range(1, 30):
        apply(lake, "orders", ([], [(order, 0, 0, 1)]))
        apply(lake, "order_events", ([], [(100 + order, order, 1, "created")]))
    lake.commit(OF_ORDERS.judged)
    known = known_of(lake, lake.state())
    lake.now["order_events"].compact(lake.path())
    apply(lake, "orders", ([], [(30, 0, 0, 1)]))
    apply(lake, "order_events", ([], [(130, 30, 1, "created")]))
    lake.commit(OF_ORDERS.judged)
    lake.judge([lake.state()], known)
    assert known[lake.state().state] == ()
    assert "id BETWEEN 30 AND 30" in lake.statements[-1]
    assert "BETWEEN 1 " not in lake.statements[-1]


def test_what_a_compaction_lost_and_doubled_is_asked_about_though_the_number_is_right() -> None:
    lake = Lake(OF_ORDERS)
    for order in (1, 2):
        apply(lake, "orders", ([], [(order, 0, 0, 1)]))
        apply(lake, "order_events", ([], [(100 + order, order, 1, "created")]))
    lake.commit(OF_ORDERS.judged)
    known = known_of(lake, lake.state())
    (_, first), _ = lake.now["order_events"].live()
    lake.now["order_events"] = Table({lake.path(): [first, first]})
    lake.commit(["order_events"])
    lake.judge([lake.state()], known)
    assert {each.key for each in known[lake.state().state]} == {1, 2}


def test_a_file_that_was_away_and_is_back_is_read_again() -> None:
    lake, known = two_orders()
    orders = lake.now["orders"]
    lake.now["orders"] = Table({lake.path(): [(1, 0, 0, 1), (2, 0, 0, 1)]})
    lake.commit(["orders"])
    away = lake.state()
    lake.now["orders"] = orders
    lake.now["orders"].remove([(2, 0, 0, 1)])
    lake.commit(["orders"])
    lake.judge([away, lake.state()], known)
    assert known[away.state] == ()
    assert [each.key for each in known[lake.state().state]] == [2]


@pytest.mark.parametrize("claims", CLAIMS, ids=[claims.source.name for claims in CLAIMS])
def test_the_claims_read_no_other_columns_than_those_that_tell_whether_a_row_changed(claims: WholeClaims) -> None:
    database = sqlite3.connect(":memory:")
    for table, judged in claims.tables.items():
        assert judged.key in judged.columns
        database.execute(f"CREATE TABLE {table} ({', '.join(judged.columns)})")
    assert database.execute(claims.states_sql([{table: table for table in claims.tables}])).fetchall() == []


def published(lake: Lake, states: Sequence[Asked]) -> list[PublishedCommit]:
    """A hash of each state, two seconds apart."""
    now, name = datetime.now(UTC), lake.claims.source.name
    found = []
    for number, each in enumerate(states):
        at = now - timedelta(seconds=2 * (len(states) - number))
        commit = published_commit(f"{number:04d}", at, number + 1, "0-1-1", None, dict(each.snapshots), at + READABLE)
        state = replace(commit.states["oltp"], snapshots=dict(each.snapshots))
        found.append(replace(commit, states={name: state}, moved=name))
    return found


class Main:
    """What is published of these hashes so far."""

    def __init__(self, commits: Sequence[PublishedCommit]) -> None:
        self.commits, self.shown = commits, 1

    def newest(self, stack: Stack) -> PublishedCommit:
        return self.commits[self.shown - 1]

    def log(self, stack: Stack, limit: int) -> list[PublishedCommit]:
        return [*self.commits[: self.shown]][::-1][:limit]

    def since(self, stack: Stack, after: str) -> list[PublishedCommit]:
        shown = self.commits[: self.shown]
        return [*shown[[each.hash for each in shown].index(after) + 1 :]]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[[Lake, Sequence[Asked]], Main]:
    def make(lake: Lake, states: Sequence[Asked]) -> Main:
        made = Main(published(lake, states))
        for name in ("newest", "log", "since"):
            monkeypatch.setattr(history_of_main, name, getattr(made, name))
        monkeypatch.setattr(every_hash, "pinned_trino", lake.pinned)
        return made

    return make


def torn_of(torn: Iterable[Torn]) -> dict[str, set[Broken]]:
    return {one.commit.hash: {*one.broken} for one in torn}


@pytest.mark.parametrize("seed", range(41, 56))
def test_every_hash_is_told_alike_in_both_ways(main: Callable[[Lake, Sequence[Asked]], Main], seed: int) -> None:
    lake, states = history(seed)
    lake.knows = 20
    lake_as_changes: Any = lake
    shown = main(lake, states)
    shown.shown = len(states)
    following = EveryHash(STACK, "0000", changes=lake_as_changes)
    whole = EveryHash(STACK, "0000")
    for one in (following, whole):
        one.look(Deadline(600))
    assert torn_of(following.torn) == torn_of(whole.torn)
    assert following.judged == whole.judged == len(states) - 1
    assert lake.judged > 5
    assert lake.judged + lake.read_whole == len(states) - 1


@pytest.mark.parametrize("snapshots_a_hash", [1, 2, 3, 4])
def test_minute_by_minute_the_newest_hash_and_one_more_are_read_whole(
    main: Callable[[Lake, Sequence[Asked]], Main], snapshots_a_hash: int
) -> None:
    """Thirty hashes a minute, whose metadata knows no more than the newest forty snapshots of a table."""
    lake = Lake(OF_ORDERS)
    shop, states = Shop(lake, random.Random(1)), []
    for _ in range(121):
        for table, changed in shop.transaction().items():
            apply(lake, table, changed)
        for _ in range(snapshots_a_hash):
            lake.commit(OF_ORDERS.judged)
        states.append(lake.state())
    lake.knows = SNAPSHOTS_KEPT
    shown, after = main(lake, states), "0000"
    lake_as_changes: Any = lake
    for minute in range(1, 5):
        shown.shown = 1 + 30 * minute
        lake.judged = lake.read_whole = 0
        audited = audit_published(STACK, OLTP, after, lake_as_changes)
        assert (audited.finding, audited.judged, audited.waiting) == (None, 30, 0)
        assert (lake.judged, lake.read_whole) == (28, 1)
        after = audited.through


def test_ids_are_widened_to_few_ranges_at_the_widest_gaps() -> None:
    assert ranges_of([]) == []
    assert ranges_of([5]) == [(5, 5)]
    assert ranges_of([3, 1, 2, 2]) == [(1, 3)]
    assert ranges_of([1, 2, 10, 11, 500], 2) == [(1, 11), (500, 500)]
    assert ranges_of([1, 2, 10, 11, 500], 3) == [(1, 2), (10, 11), (500, 500)]
    assert ranges_of([1, 2, 10, 11, 500], 1) == [(1, 500)]
    assert ranges_of([-3, 4]) == [(-3, -3), (4, 4)]
    many = ranges_of(range(0, 1000, 7))
    assert len(many) == by_changes.MOST_RANGES
    assert all(any(low <= each <= high for low, high in many) for each in range(0, 1000, 7))


def test_the_claims_name_every_table_of_their_database_that_has_a_history() -> None:
    assert [claims.source for claims in CLAIMS] == [OLTP, SHOP]
    assert {*COLUMNS} == {*OF_ORDERS.judged, *OF_SHOP.judged}


def test_once_a_row_may_have_come_back_no_later_state_is_told() -> None:
    """A vector that shrank hides, in a later state, as many rows as at first; what it hides may be another row."""
    lake = Lake(OF_ORDERS)
    apply(lake, "orders", ([], [(1, 0, 0, 1), (2, 0, 0, 1)]))
    apply(lake, "order_events", ([], [(101, 1, 1, "created"), (102, 2, 1, "created"), (103, 2, 2, "deleted")]))
    lake.now["orders"].remove([(2, 0, 0, 1)])
    lake.commit(OF_ORDERS.judged)
    known = known_of(lake, lake.state())
    assert [*known.values()] == [()]
    lake.now["orders"].removed = {}
    lake.commit(["orders"])
    shrank = lake.state()
    lake.now["orders"].remove([(1, 0, 0, 1)])
    lake.commit(["orders"])
    assert {each.key for each in lake.whole(lake.state())} == {1, 2}
    lake.judge([shrank, lake.state()], known)
    assert shrank.state not in known
    assert lake.state().state not in known


def test_a_state_is_judged_from_one_of_its_own_database() -> None:
    lake, states = history(3, 6)
    known: dict[State, InState] = {("shop", (1, 1, 1)): ()}
    lake.judge(states, known)
    assert [*known] == [("shop", (1, 1, 1))]


def test_where_nothing_can_be_told_of_what_changed_the_rest_is_read_whole_three_at_once(
    main: Callable[[Lake, Sequence[Asked]], Main], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, states = history(3, 13)
    shown = main(lake, states)
    shown.shown = len(states)
    monkeypatch.setattr(lake, "files_of", lambda *_: [][1])
    lake_as_changes: Any = lake
    following = EveryHash(STACK, "0000", changes=lake_as_changes)
    lake.statements.clear()
    following.look(Deadline(60))
    assert (following.judged, lake.judged, lake.read_whole) == (12, 0, 12)
    assert len(lake.statements) == IN_VAIN + 3


def test_where_a_table_was_set_back_the_hashes_after_it_are_judged_anew(
    main: Callable[[Lake, Sequence[Asked]], Main],
) -> None:
    """The numbers of its snapshots come again, perhaps with other rows."""
    lake, states = history(3, 4)
    main(lake, [states[0], *states[1:3], *states[1:3]]).shown = 5
    lake_as_changes: Any = lake
    following = EveryHash(STACK, "0000", changes=lake_as_changes)
    following.look(Deadline(60))
    assert following.judged == 4
    assert lake.judged + lake.read_whole == 4


def data_file(path: str, records: int, hides_of: str | None = None) -> DataFile:
    return DataFile(path, hides_of is None, 900, records, {}, 1, hides_of or "")


def test_files_are_told_with_what_their_deletion_vectors_hide_and_each_list_is_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = [data_file("a", 10), data_file("b", 5), data_file("vectors", 3, "a"), data_file("vectors", 1, "gone")]
    read: list[str] = []

    def live_files(reader: ManifestReader, manifest_list: str) -> list[DataFile]:
        read.append(manifest_list)
        return live

    monkeypatch.setattr(ManifestReader, "live_files", live_files)
    monkeypatch.setattr(Changes, "_s3", None)
    lists = {"orders": {7: "list-7", 8: "list-8"}}
    monkeypatch.setattr(Changes, "_manifest_lists", lambda *_: lists)
    changes = Changes(STACK)
    for _ in range(2):
        ((told, _),) = [
            [state["orders"] for state in changes.files_of(COMMIT, "oltp", [{"orders": 7}, {"orders": 8}])]
        ]
        assert (told.rows, told.live) == ({"a": 10, "b": 5}, 12)
    assert read == ["list-7", "list-8"]
    with pytest.raises(MissingFile, match=r"snapshot 6 of oltp\.orders"):
        changes.files_of(COMMIT, "oltp", [{"orders": 6}])
    live.append(data_file("vectors", 1, ""))
    lists["orders"][9] = "list-9"
    with pytest.raises(MissingFile, match="deletion vector"):
        changes.files_of(COMMIT, "oltp", [{"orders": 9}])


def test_small_tables_are_read_whole_three_states_at_once(
    main: Callable[[Lake, Sequence[Asked]], Main],
) -> None:
    lake, states = history(3, 13)
    lake.least_rows = 1_000_000
    main(lake, states).shown = len(states)
    known = known_of(lake, states[0])
    lake_as_changes: Any = lake
    following = EveryHash(STACK, "0000", known=known, changes=lake_as_changes)
    lake.statements.clear()
    following.look(Deadline(60))
    assert (following.judged, lake.judged, lake.read_whole) == (12, 0, 12)
    assert len(lake.statements) == 4


def test_rows_are_counted_only_in_tables_of_which_a_file_that_stayed_hides_more() -> None:
    lake, known = two_orders()
    apply(lake, "orders", ([(2, 0, 0, 1)], [(2, 0, 0, 2)]))
    apply(lake, "order_events", ([], [(103, 2, 2, "changed")]))
    lake.commit(OF_ORDERS.judged)
    lake.judge([lake.state()], known)
    assert known[lake.state().state] == ()
    (counts,) = (sql for sql in lake.statements if "COUNT(*)" in sql)
    assert {*re.findall(r"'(\w+)' AS judged", counts)} == {"orders"}


def test_a_hash_is_asked_once_for_its_manifest_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Nessie:
        def contents(self, reference: Any, database: str, tables: Sequence[str]) -> dict[str, Any]:
            asked.append(f"{reference.hash} {database}")
            return {table: type("Entry", (), {"metadata_location": f"s3://lake/{table}"})() for table in tables}

        def close(self) -> None:
            asked.append("closed")

    text = b'{"snapshots": [{"snapshot-id": 7, "manifest-list": "list-7"}]}'
    monkeypatch.setattr(by_changes, "client_of", lambda stack: Nessie())
    monkeypatch.setattr(by_changes, "get_object", lambda s3, key: text if key == "orders" else None)
    monkeypatch.setattr(Changes, "_s3", None)
    monkeypatch.setattr(ManifestReader, "live_files", lambda *_: [data_file("a", 10)])
    changes, other = Changes(STACK), published_commit("other", COMMIT.at)
    for commit in (COMMIT, COMMIT, other):
        ((told,),) = (state.values() for state in changes.files_of(commit, "oltp", [{"orders": 7}]))
        assert told.live == 10
    assert asked == ["hash oltp", "closed", "other oltp", "closed"]
    with pytest.raises(MissingFile, match="s3://lake/cases"):
        changes.files_of(COMMIT, "oltp", [{"cases": 7}])
