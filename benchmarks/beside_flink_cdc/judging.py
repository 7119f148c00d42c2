"""What a side's turn has shown, as rows of tables: freshness, torn looks, the pause after the kill, rows by key."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from benchmarks.beside_flink_cdc.lake_states import (
    Reader,
    State,
    all_snapshots,
    changes_of,
    instants,
    looks_at,
    newest_cut,
    newest_of_each,
)
from benchmarks.beside_flink_cdc.peer_job import TABLES
from benchmarks.beside_flink_cdc.sides import OURS, Side
from benchmarks.beside_flink_cdc.turn import Window
from benchmarks.freshness import spread
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.snapshots import Snapshot
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.database_rows import mysql_rows
from lakeproof.stack.stack import Stack

LOOKS = 1_000
# An order that the lake does not show within this time after the window's end counts as not seen.
SEEN_SECONDS = 30.0
LOOKED_BACK = 2_000
READ_SECONDS = 120.0
# The columns that are compared, the key first. Times are left out: each engine writes them its own way.
COLUMNS = {
    "orders": ("id", "client_key", "customer_id", "status", "total", "item_count", "version"),
    "order_items": ("id", "order_id", "line", "sku", "quantity", "unit_price"),
    "order_events": ("id", "order_id", "version", "type"),
}

type Row = dict[str, Any]


class Seen:
    """What a side's lake showed, read after its turn. Every method may raise CouldNotLook."""

    def __init__(self, side: Side, stack: Stack) -> None:
        self._side, self._stack = side, stack
        self._reader = Reader(stack, side.database, TABLES)
        self._snapshots = all_snapshots(stack, side.database, TABLES)
        self._changes = changes_of(self._snapshots, side.has_key)
        self._published = published(stack) if side is OURS else []
        self._judged: dict[tuple[tuple[str, int], ...], int] = {}

    def freshness(self, window: Window) -> Row:
        """Seconds from commit until Paimon (ours: until `main` too) shows the order; rows per second and core.

        Raises: CouldNotLook where no order of the window was ever seen: looks at an empty lake are never torn.
        """
        latest = window.end + SEEN_SECONDS
        orders = [each for each in self._changes["orders"] if window.begin <= each.at < latest]
        above = min(window.committed, default=1) - 1
        shown = self._reader.first_shown("orders", orders, above)
        if not shown:
            raise CouldNotLook(f"no order of {window.what} reached the lake", where=self._side.name)
        seconds = window.end - window.begin
        rows = sum(
            each.delta_records
            for every in self._snapshots.values()
            for each in every
            if each.kind.value == "APPEND" and window.begin <= each.at < window.end
        )
        both = window.usage[-1]
        found: Row = {
            "side": self._side.name,
            "asked_per_s": window.rate,
            "orders_per_s": round(len(window.committed) / seconds, 1),
            "not_seen": sum(1 for order in window.committed if order not in shown),
            **spread("paimon", [shown[order] - at for order, at in window.committed.items() if order in shown]),
        }
        if self._published:
            main = published_at(shown, self._changes["orders"], self._published)
            found |= spread("main", [main[order] - at for order, at in window.committed.items() if order in main])
        else:
            found |= spread("main", [])
        return found | {
            "refused": window.refused,
            "sent_late_p99_s": window.sent_late_s,
            "rows_per_s": round(rows / seconds),
            "cpu_percent": both["cpu_percent"],
            "rows_per_s_and_core": round(rows / seconds / both["cpu_percent"] * 100),
            "rss_mib": both["rss_mib"],
        }

    def looks(self, window: Window, begin: float) -> list[Row]:
        """LOOKS looks from `begin` to the window's end, in each of the ways in which a reader can read this side."""
        ways: dict[str, Sequence[tuple[float, State]]] = {
            "newest of each table": newest_of_each(self._changes),
            "one checkpoint in all tables": newest_cut(self._snapshots, self._side.has_key),
        }
        if self._published:
            ways["published hash"] = [
                (at, {table: every[table] for table in TABLES}) for at, every in self._published
            ]
        found = []
        for way, states in ways.items():
            seen = looks_at(states, instants(begin, window.end, LOOKS), self._broken)
            found.append(
                {
                    "side": self._side.name,
                    "window": window.what,
                    "a_look_takes": way,
                    "looks": seen.looks,
                    "different": seen.states,
                    "torn": seen.torn,
                    "torn_percent": round(seen.torn / seen.looks * 100, 1),
                    "most_orders_at_once": seen.most_orders,
                    "nothing_there": seen.blind,
                }
            )
        return found

    def _broken(self, states: Sequence[State]) -> list[int]:
        keys = [tuple(sorted(state.items())) for state in states]
        new = [key for key in dict.fromkeys(keys) if key not in self._judged]
        self._judged |= dict(zip(new, self._reader.broken_orders([dict(key) for key in new]), strict=True))
        return [self._judged[key] for key in keys]

    def pause(self, window: Window) -> Row:
        """The longest pause around the kill, in rows and (for ours) in publishes."""
        assert window.killed_at is not None
        published = [at for at, _ in self._published]
        return {
            "side": self._side.name,
            "healthy_after_s": round(window.healthy_after or 0.0, 1),
            "no_rows_for_s": longest_pause(
                [each.at for each in self._changes["orders"]], window.killed_at, window.end
            ),
            "no_publish_for_s": longest_pause(published, window.killed_at, window.end) if published else None,
        }

    def data(self) -> list[Row]:
        """Compare every row of the three tables with MariaDB's, by key, at the end of the turn."""
        final = self._published[-1][1] if self._published else newest_of_each(self._changes)[-1][1]
        found = []
        for table in TABLES:
            lake = self._reader.rows(table, COLUMNS[table], final[table])
            wanted = _of_mariadb(self._stack, table)
            found.append({"side": self._side.name, "table": table, **compared(wanted, lake)})
        return found


def published(stack: Stack) -> list[tuple[float, State]]:
    """The published states of MariaDB's tables, oldest first: (UNIX time of the merge, table → snapshot)."""
    commits = [each for each in history.log(stack, LOOKED_BACK) if each.moved == OLTP.name]
    states = [(each.at.timestamp(), each.tables_of(OLTP.name)) for each in reversed(commits)]
    return [(at, {table: snapshots[table] for table in TABLES}) for at, snapshots in states]


def published_at(
    shown: Mapping[int, float], orders: Sequence[Snapshot], states: Sequence[tuple[float, State]]
) -> dict[int, float]:
    """Order → when the first published state that holds it was merged.

    shown: order → commit time of the first snapshot that shows it. orders: these snapshots of `orders`.
    """
    merged: dict[float, float] = {}
    place = 0
    for each in orders:
        while place < len(states) and states[place][1]["orders"] < each.id:
            place += 1
        if place < len(states):
            merged[each.at] = states[place][0]
    return {order: merged[at] for order, at in shown.items() if at in merged}


def longest_pause(times: Sequence[float], killed_at: float, until: float) -> float:
    """The longest gap in seconds between two consecutive times, from the last before the kill to that before `until`.

    Without a time after the kill, the gap is up to `until`.
    """
    before = max((at for at in times if at <= killed_at), default=killed_at)
    after = [at for at in times if killed_at < at <= until] or [until]
    steps = [before, *after]
    return round(max(later - earlier for earlier, later in pairwise(steps)), 1)


def compared(database: Sequence[tuple[str, ...]], lake: Sequence[tuple[str, ...]]) -> Row:
    """Compares the rows of one table by their first column, the key; gives counts of rows by what is wrong."""
    wanted, found = {row[0]: row for row in database}, {row[0]: row for row in lake}
    times = Counter(row[0] for row in lake)
    return {
        "rows_in_mariadb": len(database),
        "rows_in_the_lake": len(lake),
        "lost": len(wanted.keys() - found.keys()),
        "duplicated": sum(1 for count in times.values() if count > 1),
        "stale": sum(1 for key, row in wanted.items() if key in found and found[key] != row),
        "phantom": len(found.keys() - wanted.keys()),
    }


def _of_mariadb(stack: Stack, table: str) -> list[tuple[str, ...]]:
    named = ", ".join(f"CAST({column} AS CHAR)" for column in COLUMNS[table])
    return [tuple(row) for row in mysql_rows(stack, f"SELECT {named} FROM oltp.{table}", seconds=READ_SECONDS)]
