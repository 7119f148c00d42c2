"""One check's look at what no ledger knows: the other published tables of every captured database, and the columns
that `lake evolve` added to the ledger's tables.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from lakeproof.lake.capture.columns import declared_columns
from lakeproof.lake.job.added_columns import AddedColumn, added_columns
from lakeproof.lake.job.sql_files import table_names
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import SOURCES, Source, present
from lakeproof.ledger.calls import now_us
from lakeproof.processes.parts import parts_of
from lakeproof.proof.notes import Notes
from lakeproof.proof.report import ClaimReport, TableReport
from lakeproof.proof.tables import other_tables
from lakeproof.proof.tables.buckets import Digests, width_for
from lakeproof.proof.tables.canonical import TABLES, Table
from lakeproof.proof.tables.covering import Covering
from lakeproof.proof.tables.readers import DATABASE, OF_LEDGER, Group, Reader, lake_reader, snapshot_of
from lakeproof.stack.stack import Stack

# Flink is not asked about these tables: with them, its one job would read some twenty tables on one slot.
TOO_SLOW_HERE = frozenset({"flink"})


@dataclass(frozen=True)
class Others:
    """The published tables of one database that no ledger knows, and its reader at one instant.

    seen_us: a moment at which the reader had its snapshot already. A hash that covers only an earlier moment need not
    hold all that the snapshot shows.
    """

    database: Source
    reader: Reader
    tables: Sequence[Table]
    width: int
    seen_us: int

    @property
    def group(self) -> Group:
        """These tables as the group that a reader takes."""
        return Group(self.database.name, self.tables, self.width)

    def is_asked_of(self, lake_engine: str, first: str) -> bool:
        """Whether that engine of the lake is asked for these tables. first: the engine compared with the database."""
        return lake_engine == first or lake_engine not in TOO_SLOW_HERE

    @property
    def prefix(self) -> str:
        """Stands before the tables' names in reports."""
        return self.database.prefix(".")


@dataclass(frozen=True)
class BesideLedger:
    """commit: the hash of the check. until_judged: keeps the readers opened here open.

    reports, agreements: what `compare` found, in the order of its calls.
    """

    stack: Stack
    notes: Notes
    covering: Covering
    until_judged: ExitStack
    commit: PublishedCommit | None
    reports: list[TableReport] = field(default_factory=list)
    agreements: list[ClaimReport] = field(default_factory=list)

    def tables(self, readers: Mapping[str, Reader], opened_us: int) -> list[Others]:
        """The tables of each database that this stack captures; none where no reader of the lake is open.

        readers: those of the ledger's database and of the lake. opened_us: a moment at which all had their snapshots.
        """
        if self.commit is None or not readers.keys() - {DATABASE}:
            return []
        found = []
        captured = present(self.stack)
        for source in SOURCES:
            if source not in captured:
                self.notes.looked(source.name, partial(self._note_not_captured, source))
        for source in captured:
            self._note_unpublished(source)
            if source == OF_LEDGER:
                if (database := readers.get(DATABASE)) is not None:
                    look = partial(self._others, source, database, opened_us)
                    found.append(self.notes.looked(source.name, look))
            elif self._names(source):
                found.append(self.notes.looked(source.name, partial(self._opened, source)))
        return [each for each in found if each is not None]

    def _note_not_captured(self, source: Source) -> None:
        """Note a source that nothing captures now. Where its capture is part of this stack, that is unknown: its
        published tables only grow older, and where there are none, nobody would see that they are missing. In a stack
        without that capture, only tables left by an earlier stack are noted, as left out.
        Raises: CouldNotLook where nobody could tell.
        """
        is_part = source.capture in parts_of(self.stack).known()
        if published := self._names(source):
            (self.notes.unknown if is_part else self.notes.left_out).append(
                f"{source.name}: its {len(published)} published tables are not compared:"
                f" {source.capture} captures nothing now, so that they only grow older"
            )
        elif is_part:
            self.notes.unknown.append(
                f"{source.name}: none of its tables is published, and {source.capture}, which is part of this stack,"
                " captures nothing now"
            )

    def _note_unpublished(self, source: Source) -> None:
        """Note tables that the job should write and the hash does not hold. The publisher leaves out a new table
        until the job writes it, so the hash alone does not show that one is missing.
        """
        held = self.commit.tables_of(source.name) if self.commit is not None else {}
        missing = [name for name in table_names(source.name) if name not in held]
        if not self._names(source) and source != OF_LEDGER:
            self.notes.unknown.append(f"lake: no table of {source.name} is published yet")
        elif missing:
            self.notes.unknown.append(
                f"lake: of {source.name} this hash does not hold {', '.join(missing)}: nothing is compared there"
            )

    def _opened(self, of: Source) -> Others | None:
        database = self.until_judged.enter_context(self._snapshot(of))
        return self._others(of, database, now_us())

    def _others(self, of: Source, database: Reader, seen_us: int) -> Others | None:
        tables = [*self._described(of, database, self._names(of)), *self._added_parts(of, database)]
        if not tables:
            return None
        largest = self.notes.looked(of.name, lambda: database.largest(tables))
        return None if largest is None else Others(of, database, tables, width_for(largest), seen_us)

    def compare(self, others: Others, readers: Mapping[str, Reader], digests: Mapping[str, Digests]) -> None:
        """Compare the database with the lake through one engine, and the lake's other engines with that engine.

        digests: by engine, for the engines that gave any; why another gave none is noted already.
        """
        ours = digests.get(others.reader.engine)
        lake = next((each for engine, each in readers.items() if engine != DATABASE and engine in digests), None)
        if ours is None or lake is None:
            return
        lake = replace(lake, schema=others.database.name)
        first = other_tables.FirstLook(others.tables, others.width, others.reader, lake, ours, digests[lake.engine])
        compared = self.notes.looked(
            f"tables of {others.database.name}",
            lambda: other_tables.compare_others(first, self._further_looks(others, lake.engine), others.prefix),
        )
        if compared is None:
            return
        self.reports.extend(compared.reports)
        self.notes.unknown.extend(compared.unknown)
        self.agreements.extend(
            other_tables.agreement(others.tables, compared, engine, shown, others.prefix)
            for engine, shown in digests.items()
            if engine not in (others.reader.engine, lake.engine)
        )

    def _snapshot(self, database: Source) -> AbstractContextManager[Reader]:
        return snapshot_of(self.stack, database, self.stack.settings.check.statement_seconds)

    def _names(self, database: Source) -> list[str]:
        return [] if self.commit is None else sorted(set(self.commit.tables_of(database.name)) - other_tables.KNOWN)

    def _further_looks(self, others: Others, engine: str) -> Callable[[], tuple[Reader, Reader]]:
        """Each call gives new readers of the database and of the lake, the lake at a hash that covers the last look
        at the database.
        """
        enter, seen_us = self.until_judged.enter_context, others.seen_us

        def look_again() -> tuple[Reader, Reader]:
            nonlocal seen_us
            # Never simply the newest hash: rows that a hash does not cover yet would look lost in it.
            commit = self.covering.awaited(seen_us, others.database)
            lake = enter(lake_reader(self.stack, engine, commit, self.notes.progress))
            again = enter(self._snapshot(others.database))
            seen_us = now_us()
            return again, replace(lake, schema=others.database.name)

        return look_again

    def _added_parts(self, of: Source, database: Reader) -> list[Table]:
        """The added columns of the tables that the ledger judges: the ledger knows nothing of them."""
        if of != OF_LEDGER:
            return []
        added: dict[str, set[str]] = {}
        for each in added_columns(self.stack, of):
            name = each.table.rpartition(".")[2]
            if each.is_declared and name in other_tables.KNOWN:
                added.setdefault(name, set()).add(each.column)
        known = {table.name: {column.name for column in table.columns} for table in TABLES}
        # Only the added columns, without those that the database does not have.
        parts = [
            other_tables.part_of(table, {column.name for column in table.columns} - known[table.name])
            for table in self._described(of, database, sorted(added))
        ]
        return [part for part in parts if part.part]

    def _described(self, of: Source, database: Reader, names: Sequence[str]) -> list[Table]:
        """The tables of these names, as the database describes them; a table that cannot be compared is noted."""
        found = []
        for name in names:
            try:
                table = self.notes.looked(database.engine, partial(other_tables.described, of, database, name))
            except other_tables.NotComparable as reason:
                self.notes.unknown.append(str(reason))
            else:
                found += [self._readable(of, database, table)] if table is not None else []
        return found

    def _readable(self, of: Source, database: Reader, table: Table) -> Table:
        """The table without columns that the lake cannot have at this hash. Undeclared columns are noted."""
        source = f"{database.schemas.get(table.name, of.name)}.{table.name}"
        declared = declared_columns(of, self.stack).get(source)
        if declared is None:
            return table
        undeclared = [column.name for column in table.columns if column.name not in declared]
        self.notes.unknown.extend(
            f"{source}.{column}: nobody declared it, so the lake lacks it: `lakeproof lake evolve {source} {column}`"
            for column in undeclared
        )
        young = [
            each.column
            for each in added_columns(self.stack, of)
            if each.table == source and not self._had_begun(each)
        ]
        return other_tables.without(table, {*undeclared, *young})

    def _had_begun(self, added: AddedColumn) -> bool:
        """True where the job read that column when the check's hash was published."""
        return self.commit is not None and added.since is not None and self.commit.at.timestamp() >= added.since
