"""What changed since a judged state tells the same of a later one as reading it whole.

Over random histories of a lake's files, in which transactions are torn, rows are deleted behind our back, files are
compacted and tables are set back.
"""

import random
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from tests.published_commit import published_commit

from lakeproof.deadline import Deadline
from lakeproof.lake.publish.manifests import MissingFile
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.proof.tables import by_changes
from lakeproof.proof.tables.by_changes import Files, judge_by_changes, ranges_of
from lakeproof.proof.tables.states import Asked, InState, State
from lakeproof.proof.tables.whole_claims import CLAIMS, WholeClaims

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
    """A lake of one database's judged tables, in SQLite; stands for Trino and for the manifests."""

    def __init__(self, claims: WholeClaims) -> None:
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
        here = re.sub(r"\w+\.(\w+) FOR VERSION AS OF BIGINT '(\d+)'", r"\1_\2", sql)
        return type("Answer", (), {"rows": [list(row) for row in self._database.execute(here)]})()

    def of(self, commit: object, database: str, wanted: Iterable[Mapping[str, int]]) -> list[dict[str, Files]]:
        return [
            {table: self.kept[table, snapshot].told() for table, snapshot in snapshots.items()}
            for snapshots in wanted
        ]

    def whole(self, asked: Asked) -> InState:
        (found,) = self.claims.broken_by_place(
            self.run(self.claims.lake_sql([asked.snapshots]), Deadline(60)).rows, 1
        )
        return found

    def judge(self, asked: Sequence[Asked], known: dict[State, InState]) -> None:
        lake: Any = self
        judge_by_changes(lake, COMMIT, self.claims, asked, known, lake, Deadline(60))


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


def test_the_first_state_is_read_whole_and_the_next_ones_by_what_changed() -> None:
    lake, states = history(3, 6)
    known: dict[State, InState] = {}
    lake.judge(states, known)
    assert {*known} == {each.state for each in states}
    first, keys, counts, claims = lake.statements
    assert "BETWEEN" not in first
    assert "$path" in keys
    assert "COUNT" in counts
    assert "BETWEEN" in claims
    assert "BETWEEN" in counts


def test_where_nothing_changed_nothing_is_asked() -> None:
    lake, states = history(3, 6)
    known = {states[-1].state: lake.whole(states[-1])}
    lake.commit(OF_ORDERS.judged)
    lake.statements.clear()
    lake.judge([lake.state()], known)
    assert known[lake.state().state] == known[states[-1].state]
    assert lake.statements == []


def test_a_row_deleted_behind_our_back_is_left_for_a_whole_look() -> None:
    """No new file tells of it; the number of rows does."""
    lake, states = history(3, 6)
    known = {states[-1].state: lake.whole(states[-1])}
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
    known = {lake.state().state: lake.whole(lake.state())}
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
    known = {lake.state().state: lake.whole(lake.state())}
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
    known = {lake.state().state: lake.whole(lake.state())}
    assert [*known.values()] == [()]
    apply(lake, "fulfillments", ([], [(7, 1)]))
    lake.commit(["fulfillments"])
    lake.judge([lake.state()], known)
    assert [(each.noun, each.key) for each in known[lake.state().state]] == [("parcel", 7)]
    asked = lake.statements[-1]
    assert "FROM (SELECT * FROM shop.payments FOR VERSION AS OF BIGINT '1' WHERE 1 = 0)" in asked
    assert "fulfillment_id BETWEEN 7 AND 7" in asked


@pytest.mark.parametrize("error", [MissingFile("a manifest"), StatementFailed("no such snapshot", where="trino")])
def test_where_the_manifests_or_trino_do_not_know_a_snapshot_it_is_left_for_a_whole_look(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    lake, states = history(3, 6)
    known = {states[0].state: lake.whole(states[0])}

    def of(*_: object) -> list[dict[str, Files]]:
        raise error

    monkeypatch.setattr(lake, "of", of)
    lake.judge(states[1:], known)
    assert [*known] == [states[0].state]


def test_a_change_of_most_of_a_table_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_changes, "MOST_KEYS", 2)
    lake, states = history(3, 6)
    known = {states[0].state: lake.whole(states[0])}
    lake.judge(states[1:], known)
    assert [*known] == [states[0].state]


def test_a_state_is_never_judged_from_a_newer_one() -> None:
    lake, states = history(3, 6)
    known = {states[-1].state: lake.whole(states[-1])}
    lake.judge([states[2]], known)
    assert "BETWEEN" not in lake.statements[-1]  # read whole
    assert {*known[states[2].state]} == {*lake.whole(states[2])}


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
