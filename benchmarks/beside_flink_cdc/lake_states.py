"""What the Paimon tables of a stack showed at every instant of a run, read afterwards by one reader: Trino.

Paimon keeps every snapshot of the run with its commit time, so nothing has to be read during the measurement.
Afterwards the newest Iceberg metadata of each table, which knows all of its snapshots, is put on `main`, and Trino
reads the tables at any snapshot.
"""

import secrets
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.nessie import IcebergTable, client_of
from lakeproof.lake.publish import cut
from lakeproof.lake.publish.history import MAIN
from lakeproof.lake.publish.metadata import metadata_key, published_copy, published_key, read_metadata
from lakeproof.lake.publish.snapshots import Kind, Snapshot, get_object, parse_snapshot
from lakeproof.lake.query import trino
from lakeproof.stack.object_store import LAKE_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.order_claims import JUDGED, across_states_sql, broken_of

QUERY_SECONDS = 120.0
METADATA_SECONDS = 30.0
# How many states one statement judges, and how many snapshots one statement scans.
STATES_AT_ONCE, SNAPSHOTS_AT_ONCE = 8, 10

type State = Mapping[str, int]
"""What one look sees: table → snapshot id."""


@dataclass(frozen=True)
class Looks:
    """Counts of looks: `looks` in all, at `states` different states; `torn` of them showed a part of a transaction.

    blind: looks before there was anything to see. most_orders: the most orders that were not whole in one state.
    """

    looks: int
    states: int
    torn: int
    most_orders: int
    blind: int


def all_snapshots(stack: Stack, database: str, tables: Iterable[str]) -> dict[str, list[Snapshot]]:
    """Every snapshot of these tables, oldest first. Raises: CouldNotLook where a table has none."""
    s3 = s3_client(stack)
    found: dict[str, list[Snapshot]] = {}
    for table in tables:
        prefix = f"wh/{database}.db/{table}/snapshot"
        hint = get_object(s3, f"{prefix}/LATEST")
        if hint is None:
            raise CouldNotLook("it has no snapshot", where=f"{database}.{table}")
        texts = (get_object(s3, f"{prefix}/snapshot-{number}") for number in range(1, int(hint) + 1))
        found[table] = [parse_snapshot(text) for text in texts if text is not None]
    return found


def changes_of(snapshots: Mapping[str, Sequence[Snapshot]], has_key: Mapping[str, bool]) -> dict[str, list[Snapshot]]:
    """Table → the snapshots at which its readers see something new. A table without a key shows every APPEND; one
    with a key shows none, for they write to level 0.
    """
    return {
        table: [each for each in every if not has_key[table] or each.kind is not Kind.APPEND]
        for table, every in snapshots.items()
    }


def newest_of_each(changes: Mapping[str, Sequence[Snapshot]]) -> list[tuple[float, State]]:
    """(UNIX time since when, state) of a reader who takes each table's newest snapshot, oldest first."""
    events = sorted((each.at, table, each.id) for table, every in changes.items() for each in every)
    state: dict[str, int] = {}
    found: list[tuple[float, State]] = []
    for at, table, snapshot in events:
        state = state | {table: snapshot}
        if len(state) == len(changes):
            found.append((at, state))
    return found


def newest_cut(snapshots: Mapping[str, Sequence[Snapshot]], has_key: Mapping[str, bool]) -> list[tuple[float, State]]:
    """(UNIX time since when, state) of a reader who takes the newest checkpoint that every table shows."""
    times = sorted({each.at for every in snapshots.values() for each in every})
    found: list[tuple[float, State]] = []
    for at in times:
        known = {table: [each for each in every if each.at <= at] for table, every in snapshots.items()}
        chosen = cut.choose_cut(known, has_key) if all(known.values()) else None
        if chosen is not None and (not found or found[-1][1] != chosen.ids):
            found.append((at, chosen.ids))
    return found


def instants(begin: float, end: float, count: int) -> list[float]:
    """`count` instants, evenly spread, from `begin` to before `end`."""
    return [begin + (end - begin) * number / count for number in range(count)]


def looks_at(
    states: Sequence[tuple[float, State]],
    at: Sequence[float],
    judge: Callable[[Sequence[State]], Sequence[int]],
) -> Looks:
    """Look at each instant at the state of that time. judge: gives for each state how many orders are not whole."""
    begins = [since for since, _ in states]
    places = [bisect_right(begins, instant) - 1 for instant in at]
    seen = sorted({place for place in places if place >= 0})
    broken = dict(zip(seen, judge([states[place][1] for place in seen]), strict=True))
    return Looks(
        looks=len(at),
        states=len(seen),
        torn=sum(1 for place in places if broken.get(place)),
        most_orders=max(broken.values(), default=0),
        blind=sum(1 for place in places if place < 0),
    )


class Reader:
    """Reads the tables of one database by Trino, in a stack whose publisher does not run (any more)."""

    def __init__(self, stack: Stack, database: str, tables: Sequence[str]) -> None:
        """Put the tables' newest metadata, with all snapshots, on `main`. Raises: CouldNotLook; NessieConflict."""
        self._stack, self._database = stack, database
        s3, nessie = s3_client(stack), client_of(stack, timeout_seconds=20.0)
        try:
            main = nessie.reference(MAIN)
            if not nessie.has_namespace(main, database):
                main = nessie.create_namespace(main, database)
            held = nessie.contents(main, database, tables)
            found = {}
            for table in tables:
                latest = int(get_object(s3, f"wh/{database}.db/{table}/snapshot/LATEST") or 0)
                metadata = _metadata(s3, database, table, latest)
                key = published_key(database, table, int(time.time() * 1000), latest, secrets.token_hex(4))
                every = len(metadata["snapshots"])
                s3.put_object(Bucket=LAKE_BUCKET, Key=key, Body=published_copy(metadata, every))
                found[table] = IcebergTable(
                    metadata_location=f"s3://{LAKE_BUCKET}/{key}",
                    snapshot_id=latest,
                    schema_id=metadata["current-schema-id"],
                    spec_id=metadata["default-spec-id"],
                    sort_order_id=metadata["default-sort-order-id"],
                    content_id=held[table].content_id if table in held else None,
                )
            nessie.commit_tables(main, database, found, "every snapshot, for a benchmark", {})
        finally:
            nessie.close()

    def broken_orders(self, states: Sequence[State]) -> list[int]:
        """For each state, how many orders are not whole in it (order_claims.py). Raises: CouldNotLook."""
        found = []
        for some in batched(states, STATES_AT_ONCE):
            # One subquery per state, since the answer of a query is limited. It numbers its own single state as 0.
            parts = [
                f"SELECT {number} AS number, t.* FROM ({across_states_sql([self._named(state)])}) AS t"
                for number, state in enumerate(some)
            ]
            rows = self._run(" UNION ALL ".join(parts))
            for number in range(len(some)):
                broken = broken_of(row[2:] for row in rows if int(row[0]) == number)
                found.append(len({each.key for each in broken}))
        return found

    def _named(self, state: State) -> dict[str, str]:
        return {table: self._at(table, state[table]) for table in JUDGED}

    def first_shown(self, table: str, snapshots: Sequence[Snapshot], above: int) -> dict[int, float]:
        """Id → commit time of the first of the snapshots that shows it, for ids greater than `above`."""
        found: dict[int, float] = {}
        for some in batched(snapshots, SNAPSHOTS_AT_ONCE):
            parts = [
                f"SELECT id, {place} AS place FROM {self._at(table, each.id)} WHERE id > {above}"
                for place, each in enumerate(some)
            ]
            rows = self._run(f"SELECT id, MIN(place) FROM ({' UNION ALL '.join(parts)}) GROUP BY id")
            for row in rows:
                found.setdefault(int(row[0]), some[int(row[1])].at)
        return found

    def rows(self, table: str, columns: Sequence[str], snapshot: int) -> list[tuple[str, ...]]:
        """Every row at a snapshot, as text."""
        named = ", ".join(f"CAST({column} AS VARCHAR)" for column in columns)
        return [tuple(row) for row in self._run(f"SELECT {named} FROM {self._at(table, snapshot)}")]

    def _at(self, table: str, snapshot: int) -> str:
        return trino.at_snapshot(self._database, table, snapshot)

    def _run(self, sql: str) -> Sequence[Sequence[Any]]:
        return trino.run(self._stack, sql, Deadline(QUERY_SECONDS)).rows


def _metadata(s3: Any, database: str, table: str, latest: int) -> dict[str, Any]:
    """Paimon's own Iceberg metadata, which is written just after the snapshot. Raises: DeadlineExpired."""
    text = Deadline(METADATA_SECONDS).wait_for(
        f"the metadata of {database}.{table}", lambda: get_object(s3, metadata_key(database, table, latest))
    )
    return read_metadata(text)
