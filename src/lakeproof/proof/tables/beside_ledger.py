"""One check's look at the published tables that no ledger knows: MariaDB's others, and all of PostgreSQL's."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from lakeproof.customers.calls import now_us
from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.connector import schemas_of
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import OLTP, SHOP, Source, present
from lakeproof.proof.notes import Notes
from lakeproof.proof.report import ClaimReport, TableReport
from lakeproof.proof.tables import other_tables
from lakeproof.proof.tables.canonical import Table
from lakeproof.proof.tables.covering import Covering
from lakeproof.proof.tables.readers import (
    DATABASE,
    ENGINE_SECONDS,
    Reader,
    lake_reader,
    mariadb_snapshot,
    postgres_snapshot,
)
from lakeproof.stack.stack import Stack

# Flink is not asked about these tables. Its SQL gateway starts one job per statement, which takes longer than the
# whole check.
TOO_SLOW_HERE = frozenset({"flink"})

type Snapshot = Callable[[], AbstractContextManager[Reader]]


@dataclass(frozen=True)
class BesideLedger:
    """readers: those of the check, of the database and of the lake at `commit`. Further ones are opened here, and
    stay open until_judged.

    reports, agreements: what was found, in the order of the looks.
    """

    stack: Stack
    notes: Notes
    covering: Covering
    until_judged: ExitStack
    commit: PublishedCommit | None
    readers: Mapping[str, Reader]
    reports: list[TableReport] = field(default_factory=list)
    agreements: list[ClaimReport] = field(default_factory=list)

    def look_at_mariadb(self, seen_us: int) -> None:
        """MariaDB's published tables that no ledger knows, against the lake.

        seen_us: a moment at which the check's reader had its snapshot already. A hash that covers only an earlier
        moment need not hold all that the snapshot shows.
        """
        lake = self._lake()
        names = self._names(OLTP)
        if not names or lake is None or DATABASE not in self.readers:
            return
        database = self.readers[DATABASE]
        tables = self._described(database, names)
        snapshot = partial(mariadb_snapshot, self.stack, ENGINE_SECONDS)
        if tables:
            compared = self.notes.looked(
                "other tables",
                lambda: other_tables.compare_others(
                    tables, database, lake, self._further_looks(OLTP, snapshot, lake.engine, seen_us)
                ),
            )
            self._keep(compared, tables, self.readers)
        self.notes.ended("other tables")

    def look_at_postgres(self) -> None:
        """PostgreSQL's captured tables against the lake; none where this stack does not capture them."""
        lake = self._lake()
        if self.commit is None or lake is None or SHOP not in present(self.stack):
            return
        names = self._names(SHOP)
        if not names:
            self.notes.unknown.append(f"lake: no table of {SHOP.name} is published yet")
            return
        snapshot = partial(postgres_snapshot, self.stack, schemas_of(SHOP.name), ENGINE_SECONDS)
        prefix = f"{SHOP.name}."
        self.notes.progress(f"{SHOP.engine} against {lake.engine}")
        tables: list[Table] = []

        def compared() -> other_tables.Compared | None:
            database = self.until_judged.enter_context(snapshot())
            seen_us = now_us()
            tables.extend(self._described(database, names))
            if not tables:
                return None
            look_again = self._further_looks(SHOP, snapshot, lake.engine, seen_us)
            return other_tables.compare_others(tables, database, replace(lake, schema=SHOP.name), look_again, prefix)

        in_shop = {engine: replace(reader, schema=SHOP.name) for engine, reader in self.readers.items()}
        self._keep(self.notes.looked(SHOP.name, compared), tables, in_shop, prefix)
        self.notes.ended(f"{SHOP.name} tables")

    def _lake(self) -> Reader | None:
        """The first of the lake's engines that this check asks."""
        return next((reader for engine, reader in self.readers.items() if engine != DATABASE), None)

    def _names(self, database: Source) -> list[str]:
        return [] if self.commit is None else sorted(set(self.commit.tables_of(database.name)) - other_tables.KNOWN)

    def _further_looks(
        self, database: Source, snapshot: Snapshot, engine: str, seen_us: int
    ) -> Callable[[], tuple[Reader, Reader]]:
        """Each call gives database and lake once more, the lake at a hash that covers the last look at the database.

        seen_us: a moment at which that look had its snapshot already.
        """
        enter = self.until_judged.enter_context

        def look_again() -> tuple[Reader, Reader]:
            nonlocal seen_us
            commit = self.covering.first(seen_us, database)
            if commit is None:
                raise CouldNotLook("no published hash to look at again", where="lake")
            lake = enter(lake_reader(self.stack, engine, commit, ENGINE_SECONDS, self.notes.progress))
            again = enter(snapshot())
            seen_us = now_us()
            return again, replace(lake, schema=database.name)

        return look_again

    def _keep(
        self,
        compared: other_tables.Compared | None,
        tables: Sequence[Table],
        readers: Mapping[str, Reader],
        prefix: str = "",
    ) -> None:
        """Keep what was compared, and ask the lake's other engines whether they show the same."""
        if compared is None:
            return
        self.reports.extend(compared.reports)
        self.notes.unknown.extend(compared.unknown)
        for engine, reader in readers.items():
            if engine in (DATABASE, compared.engine, *TOO_SLOW_HERE):
                continue
            digests = self.notes.looked(engine, partial(reader.digests, compared.width, tables))
            if digests is not None:
                self.agreements.append(other_tables.agreement(tables, compared, engine, digests, prefix))

    def _described(self, database: Reader, names: Sequence[str]) -> list[Table]:
        """The tables of these names, as the database describes them; a table that cannot be compared is noted."""
        describe = other_tables.described if database.engine == DATABASE else other_tables.described_by_postgres
        found = []
        for name in names:
            try:
                table = self.notes.looked(database.engine, partial(describe, database, name))
            except other_tables.NotComparable as reason:
                self.notes.unknown.append(str(reason))
            else:
                found += [table] if table is not None else []
        return found
