"""One database's tables as the publisher follows them: their snapshots, and what was read of their manifests."""

from collections.abc import Mapping, Set
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from lakeproof.lake.job.sql_files import table_names
from lakeproof.lake.publish.beat import HEARTBEAT_TABLE
from lakeproof.lake.publish.cut import Cut, choose_cut, lagging
from lakeproof.lake.publish.in_parallel import in_parallel
from lakeproof.lake.publish.manifests import ManifestReader
from lakeproof.lake.publish.mending import Mender
from lakeproof.lake.publish.snapshots import FollowedTable, Snapshot

# Every so many looks all tables are looked at; in between one table, or those that a begun checkpoint waits for.
LOOKS_AT_ALL = 10


@dataclass
class Followed:
    """One database's tables. awaited: those that a begun checkpoint waits for."""

    s3: Any
    database: str
    tables: dict[str, FollowedTable] = field(default_factory=dict)
    readers: dict[str, ManifestReader] = field(default_factory=dict)
    menders: dict[str, Mender] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()
    looks: int = 0
    _newest: dict[str, Snapshot | None] | None = None
    _chosen: tuple[Cut | None, frozenset[str]] = (None, frozenset())

    def refresh(self, executor: Executor, *, use_cut: bool) -> None:
        """Look for new snapshots: in the awaited tables, or in one table, and in all once that one has moved.

        Every table gets a snapshot at each checkpoint, so one table tells whether there is anything new. Now and then
        all are looked at, for one of the others may be made anew meanwhile. Raises: as FollowedTable.refresh.
        """
        self._follow_new()
        self.looks += 1
        one = self.tables.get(HEARTBEAT_TABLE) or next(iter(self.tables.values()))
        if self.looks % LOOKS_AT_ALL == 0 or not use_cut or not one.snapshots:
            some = set(self.tables)
        else:
            some = set(self.awaited) or {one.table}
        before = one.snapshots[-1:]
        self._refresh(executor, some)
        if not self.awaited and one.snapshots[-1:] != before:
            self._refresh(executor, self.tables.keys() - some)

    def _refresh(self, executor: Executor, some: Set[str]) -> None:
        tables = [table for name, table in self.tables.items() if name in some]
        in_parallel(executor, FollowedTable.refresh, tables)

    def seen(self, published: Mapping[str, int]) -> tuple[dict[str, list[Snapshot]], dict[str, bool]]:
        """The snapshots of the tables that count, and which of these tables have a primary key."""
        # A table that was added to the files is left out until the job writes it; the first state has all tables.
        seen = {
            name: table.snapshots
            for name, table in self.tables.items()
            if table.snapshots or not published or name in published
        }
        written = {name: snapshots[-1].schema_id for name, snapshots in seen.items() if snapshots}
        return seen, {name: self.tables[name].has_primary_key(schema_id) for name, schema_id in written.items()}

    def chosen(
        self, seen: Mapping[str, list[Snapshot]], has_primary_key: Mapping[str, bool]
    ) -> tuple[Cut | None, frozenset[str]]:
        """The results of `choose_cut` and `lagging` for `seen`. Both go through every known snapshot of every table,
        so they are called again only once a table has another newest snapshot. Most looks find none.
        """
        newest = {table: snapshots[-1] if snapshots else None for table, snapshots in seen.items()}
        if newest != self._newest:
            self._chosen = choose_cut(seen, has_primary_key), lagging(seen, has_primary_key)
            self._newest = newest
        return self._chosen

    def _follow_new(self) -> None:
        for table in table_names(self.database):
            if table not in self.tables:
                self.tables[table] = FollowedTable(self.s3, self.database, table)
                self.readers[table] = ManifestReader(self.s3)
                self.menders[table] = Mender(self.s3)
