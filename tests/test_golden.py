"""Golden scripts: tests/golden/*.txt say what is written, what is published of it, and what `check` says then.

The code that publishes and the code that checks are the project's own. No engine runs: SQLite holds the databases and
answers the check's SQL, the store is a folder, Nessie is in memory, and doubles/lake_job.py stands for the Flink job.

A script begins with some words about it. Below `written:` each line is one step, a second after the one before:
- SQL, with BEGIN and COMMIT or ROLLBACK around it; `NOW()` is the script's clock;
- `acknowledged: OP KEY` (or `unclear:`): the shopper's ledger line, with the order as the newest transaction left it;
- `in the lake: SQL`: somebody changes the lake's tables behind everybody's back;
- `checkpoint N [of DATABASE][, TABLE FAULT]…`: the job's checkpoint, and a look of the publisher. A FAULT is one of
  doubles/lake_job.py: late, not compacted, compacted in part, file lost. A database is captured from the first
  checkpoint that names it; without a name all captured ones make theirs.

Change a script and run `python -m tests.test_golden FILE`: it prints what really comes of it. `--write FILE` writes it
into the script.
"""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.folder_store import FolderStore
from tests.doubles.lake_job import Fault, LakeJob, rows_of
from tests.doubles.nessie import Nessie
from tests.doubles.sqlite_engine import captured, connection, create_lake, create_sources, reader, type_names

from lakeproof.customers.calls import Event
from lakeproof.customers.ledger import Line
from lakeproof.errors import LakeproofError
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.nessie import Reference
from lakeproof.lake.publish import history
from lakeproof.lake.publish.audit import AuditFailed
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.publisher import Publisher, RoundFailed
from lakeproof.lake.sources import postgres
from lakeproof.lake.sources.source import NAMES, OLTP, SOURCES, Source, find_source
from lakeproof.proof import checking
from lakeproof.proof.report import CheckReport
from lakeproof.proof.tables import beside_ledger, covering
from lakeproof.proof.tables.canonical import microseconds
from lakeproof.proof.tables.contents import contents_of
from lakeproof.proof.tables.ranges import Ranges
from lakeproof.proof.tables.readers import Reader
from lakeproof.shop.order.models import Op, Order
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

FOLDER = Path(__file__).parent / "golden"
WRITTEN, PUBLISHED, SAYS = "written:", "published:", "check says:"
BEGINS_US = microseconds("2026-01-05T10:00:00Z")
ALL_ROWS = Ranges(((-(2**63), 2**63),), with_null=True)
POSTGRES_TYPES = {"INT": "int4", "BIGINT": "int8", "STRING": "text", "DECIMAL": "numeric", "TIMESTAMP": "timestamptz"}


class Play:
    """One script's stores, and everything that its steps act on."""

    def __init__(self, folder: Path) -> None:
        self.clock_us = BEGINS_US
        self.stack = Stack(Settings.model_validate({"state_dir": folder, "mode": "external"} | _LEDGER_IS_WHOLE))
        self.stack.ledger_dir.mkdir(parents=True)
        schemas = {file.source.partition(".")[0] for name in NAMES for file in captured(name)}
        files = {schema: f"{folder}/{schema}.db" for schema in sorted(schemas)}
        # The first sees its open transaction, the second only what is committed.
        self.database, self.committed = connection(files), connection(files)
        self.database.create_function("NOW", 0, lambda: _text(self.clock_us))
        self.lake = connection(dict.fromkeys(NAMES, ":memory:"))
        for name in NAMES:
            create_sources(self.database, name)
            create_lake(self.lake, name)
        self.store, self.nessie = FolderStore(folder / "store"), Nessie()
        for branch in (history.MAIN, history.INGEST):
            self.nessie.add(branch, {}, {}, message="create namespace oltp")
        self.jobs = {name: LakeJob(self.store, name, self.committed, self.lake) for name in NAMES}
        self.publisher = Publisher(self.store, self.nessie, PublisherMetrics())  # type: ignore[arg-type]
        self.captured: tuple[Source, ...] = (OLTP,)
        self.orders: dict[str, Order] = {}
        self.versions: dict[str, int] = {}
        self.published: list[str] = []
        self.hashes = 0

    def step(self, line: str) -> None:
        """Carry out one line of `written`."""
        self.clock_us += 1_000_000
        told = re.fullmatch(r"(acknowledged|unclear): (\w+) (\S+)", line)
        if told is not None:
            self._tell(Event.OK if told[1] == "acknowledged" else Event.UNCLEAR, Op(told[2]), told[3])
        elif line.startswith("in the lake: "):
            self.lake.execute(line.removeprefix("in the lake: "))
        elif line.startswith("checkpoint "):
            self._checkpoint(line)
        else:
            if line in ("COMMIT", "ROLLBACK"):
                self.orders = self._orders()
            self.database.execute(line)

    def _orders(self) -> dict[str, Order]:
        """The orders, by key, as the open transaction shows them."""
        found = contents_of(reader("mysql", self.database, OLTP.name).rows(ALL_ROWS))
        whole = (replace(order, items=tuple(found.items.get(order.id or 0, ()))) for order in found.orders)
        return {order.client_key: order for order in whole}

    def _tell(self, event: Event, op: Op, key: str) -> None:
        order = self.orders.get(key)
        version = order.version if order is not None else self.versions[key] + 1
        if event is Event.OK:
            self.versions[key] = version
        with (self.stack.ledger_dir / "golden.jsonl").open("ab") as ledger:
            for each in (Event.INVOKE, event):
                ledger.write(Line(self.clock_us, "golden", key, op, 1, each, version, order).to_bytes())

    def _checkpoint(self, line: str) -> None:
        begun, *faults = line.split(", ")
        _, number, *database = begun.replace(" of ", " ").split()
        of_tables = {table: Fault(fault) for table, _, fault in (each.partition(" ") for each in faults)}
        sources = (find_source(database[0]),) if database else self.captured
        self.captured = tuple(each for each in SOURCES if each in (*self.captured, *sources))
        for source in sources:
            self.jobs[source.name].checkpoint(int(number), self.clock_us, of_tables)
            self._look(source, f"checkpoint {number} of {source.name}")

    def _look(self, source: Source, checkpoint: str) -> None:
        """One round of the publisher, and what a reader then sees at the hash."""
        try:
            published = self.publisher.round(source)
        except (AuditFailed, RoundFailed) as error:
            self.published.append(f"{checkpoint}: not published: {error.message}")
            return
        if published is None:
            self.published.append(f"{checkpoint}: not published, for it is not readable in every table")
            return
        self.hashes += 1
        self.published.append(f"{checkpoint}: hash {self.hashes}")
        for table, rows in self.shown(published.hash, source.name).items():
            self.published += [f"  {table}: {_in_words(row)}" for row in rows]

    def shown(self, hash_: str, database: str) -> dict[str, list[dict[str, Any]]]:
        """Table → the rows that a reader sees at that hash."""
        names = [file.table for file in captured(database)]
        held = self.nessie.contents(Reference("BRANCH", history.MAIN, hash_), database, names)
        return {table: rows_of(self.store, each.metadata_location) for table, each in held.items()}

    @contextmanager
    def database_reader(self, stack: Stack, source: Source, seconds: float) -> Iterator[Reader]:
        """In place of readers.snapshot_of."""
        yield reader(source.engine, self.committed, source.name, find_connector(source.connector).schemas)

    @contextmanager
    def lake_reader(self, stack: Stack, engine: str, commit: PublishedCommit, progress: object) -> Iterator[Reader]:
        """In place of readers.lake_reader: the tables as the hash shows them."""
        found = connection(dict.fromkeys(NAMES, ":memory:"))
        for name in commit.states:
            create_lake(found, name)
            for table, rows in self.shown(commit.hash, name).items():
                for row in rows:
                    values = [*row.values()]
                    found.execute(f"INSERT INTO {name}.{table} VALUES ({', '.join('?' * len(values))})", values)
        yield reader(engine, found, OLTP.name)

    def check(self) -> CheckReport:
        """What `lakeproof check --no-wait --engine trino` finds."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(history, "client_of", lambda stack: self.nessie)
            patch.setattr(checking, "_STARTS", {})
            patch.setattr(postgres, "described", _described)
            for module in (checking, beside_ledger):
                patch.setattr(module, "snapshot_of", self.database_reader)
                patch.setattr(module, "lake_reader", self.lake_reader)
                patch.setattr(module, "present", lambda stack: self.captured)
            for module in (checking, beside_ledger, covering):
                patch.setattr(module, "now_us", lambda: self.clock_us)
            return checking.check(self.stack, engines=("trino",), cover_now=False, cover_seconds=0.0)


_LEDGER_IS_WHOLE = {"shop": {"ledger_covers": "all"}}


def _described(ask: object, schema: str, table: str) -> Sequence[Sequence[Any]]:
    file = next(each for each in captured("shop") if each.source == f"{schema}.{table}")
    return type_names(file, lambda kind: POSTGRES_TYPES.get(kind, "bool"))


def _text(at_us: int) -> str:
    return f"2026-01-05 10:{(at_us - BEGINS_US) // 60_000_000:02d}:{(at_us - BEGINS_US) // 1_000_000 % 60:02d}.000000"


def _in_words(row: dict[str, Any]) -> str:
    """A row without its times."""
    return ", ".join(str(value) for value in row.values() if not re.match(r"2026-01-05 ", str(value)))


def said(report: CheckReport) -> Iterator[str]:
    """As `lakeproof check` tells a report, without what passed."""
    yield str(report.outcome)
    for table in report.tables:
        for finding in table.findings:
            yield f"{table.engine}.{table.table} {finding.wrong}: {finding.key}: {finding.detail}"
    for claim in report.broken:
        yield claim.in_words
        yield from (f"  {key}" for key in claim.keys)
    yield from (f"not known: {reason}" for reason in report.reasons)
    if report.cut is not None and report.cut.excused:
        yield f"{report.cut.excused} acknowledged calls are not older than the hash and need not be in it"


def actual_of(script: str) -> str:
    """The script, with what really came of it."""
    about, _, rest = script.partition(f"{WRITTEN}\n")
    written = rest.partition(f"{PUBLISHED}\n")[0]
    with tempfile.TemporaryDirectory() as folder:
        play = Play(Path(folder))
        for line in filter(None, map(str.strip, written.splitlines())):
            try:
                play.step(line)
            except (LakeproofError, ValueError, KeyError, Exception) as error:
                raise ValueError(f"{line}: {type(error).__name__}: {error}") from error
        parts = ((PUBLISHED, play.published), (SAYS, said(play.check())))
        told = "\n".join("\n".join([head, *(f"  {line}" for line in lines), ""]) for head, lines in parts)
    return f"{about}{WRITTEN}\n{written.rstrip()}\n\n{told}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_what_is_written_is_published_and_judged_as_the_script_says(path: Path) -> None:
    script = path.read_text()
    actual = actual_of(script)
    if actual != script:
        differs = "\n".join(unified_diff(script.splitlines(), actual.splitlines(), "the script", "what came", "", "", 0))
        pytest.fail(f"{differs}\n\nwhat really came of {path.name}:\n\n{actual}", pytrace=False)


if __name__ == "__main__":
    *options, name = sys.argv[1:]
    came = actual_of(Path(name).read_text())
    if "--write" in options:
        Path(name).write_text(came)
    else:
        print(came)
