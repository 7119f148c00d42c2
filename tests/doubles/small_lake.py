"""The path of a record without engines: what publishes and what checks is the project's own code.

SQLite holds the databases, and answers the check's SQL. The store is a folder, Nessie is in memory, and lake_job.py
stands for Debezium, Kafka and Flink.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.folder_store import FolderStore
from tests.doubles.lake_job import Fault, LakeJob, rows_of
from tests.doubles.nessie import Nessie
from tests.doubles.sqlite_engine import captured, connection, create_lake, create_sources, described, reader

from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.nessie import Reference
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.followed import LOOKS_AT_ALL
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.publisher import Published, Publisher
from lakeproof.lake.sources import postgres
from lakeproof.lake.sources.source import NAMES, OLTP, Source
from lakeproof.proof import checking
from lakeproof.proof.report import CheckReport
from lakeproof.proof.tables import beside_ledger, covering
from lakeproof.proof.tables.readers import Reader
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

# Nothing runs; and an order that the ledger does not know must not be there.
SETTINGS = {"mode": "external", "shop": {"ledger_covers": "all"}}


class SmallLake:
    """captured: the databases that are captured by now. clock_us: the time of everything in it; whoever uses it moves
    it on. database: a connection to the databases, in which a transaction may be open. lake: the lake's own tables.
    """

    def __init__(self, folder: Path, begins_us: int) -> None:
        self.clock_us = begins_us
        self.captured: tuple[Source, ...] = (OLTP,)
        self.stack = Stack(Settings.model_validate(SETTINGS | {"state_dir": folder}))
        self.stack.ledger_dir.mkdir(parents=True)
        schemas = {file.source.partition(".")[0] for name in NAMES for file in captured(name)}
        files = {schema: f"{folder}/{schema}.db" for schema in sorted(schemas)}
        self.database, self._committed = connection(files), connection(files)
        self.lake = connection(dict.fromkeys(NAMES, ":memory:"))
        for each in (self.database, self.lake):
            each.create_function("NOW", 0, lambda: str(datetime.fromtimestamp(self.clock_us / 1e6, UTC)))
        for name in NAMES:
            create_sources(self.database, name)
            create_lake(self.lake, name)
        self._store, self._nessie = FolderStore(folder / "store"), Nessie()
        for branch in (history.MAIN, history.INGEST):
            self._nessie.add(branch, {}, {}, message="create namespace oltp")
        self._jobs = {name: LakeJob(self._store, name, self._committed, self.lake) for name in NAMES}
        self._publisher = Publisher(self._store, self._nessie, PublisherMetrics())  # type: ignore[arg-type]

    def checkpoint(self, source: Source, number: int, faults: Mapping[str, Fault]) -> Published | None:
        """The checkpoint of that database's job, and the publisher's looks until something is published, or each
        table was looked at in vain. Raises: as Publisher.round.
        """
        self._jobs[source.name].checkpoint(number, self.clock_us, faults)
        looks = (self._publisher.round(source) for _ in range(LOOKS_AT_ALL))
        return next((published for published in looks if published is not None), None)

    def shown(self, hash_: str, database: str) -> dict[str, list[dict[str, Any]]]:
        """Table → the rows that a reader sees at that hash."""
        names = [file.table for file in captured(database)]
        held = self._nessie.contents(Reference("BRANCH", history.MAIN, hash_), database, names)
        return {table: rows_of(self._store, each.metadata_location) for table, each in held.items()}

    def check(self) -> CheckReport:
        """What `lakeproof check --no-wait --engine trino` finds."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(history, "client_of", lambda stack: self._nessie)
            patch.setattr(checking, "_STARTS", {})
            patch.setattr(postgres, "described", _described)
            for module in (checking, beside_ledger):
                patch.setattr(module, "snapshot_of", self._database_reader)
                patch.setattr(module, "lake_reader", self._lake_reader)
                patch.setattr(module, "present", lambda stack: self.captured)
            for module in (checking, beside_ledger, covering):
                patch.setattr(module, "now_us", lambda: self.clock_us)
            return checking.check(self.stack, engines=("trino",), cover_now=False, cover_seconds=0.0)

    def close(self) -> None:
        """End the publisher's threads, and close the databases."""
        self._publisher.close()
        for each in (self.database, self._committed, self.lake):
            each.close()

    @contextmanager
    def _database_reader(self, stack: Stack, source: Source, seconds: float) -> Iterator[Reader]:
        """In place of readers.snapshot_of."""
        yield reader(source.engine, self._committed, source.name, find_connector(source.connector).schemas)

    @contextmanager
    def _lake_reader(self, stack: Stack, engine: str, commit: PublishedCommit, progress: object) -> Iterator[Reader]:
        """In place of readers.lake_reader: an engine that reads the files to which the hash leads."""
        found = connection(dict.fromkeys(NAMES, ":memory:"))
        for name in commit.states:
            create_lake(found, name)
            for table, rows in self.shown(commit.hash, name).items():
                for row in rows:
                    marks = ", ".join("?" * len(row))
                    found.execute(f"INSERT INTO {name}.{table} VALUES ({marks})", [*row.values()])
        yield reader(engine, found, OLTP.name)
        found.close()


def _described(ask: object, schema: str, table: str) -> Sequence[Sequence[Any]]:
    """In place of postgres.described."""
    return described(next(file for file in captured("shop") if file.source == f"{schema}.{table}"))
