"""Golden scripts: tests/golden/*.txt say what is written, what is published of it, and what `check` says then.

The code that publishes and the code that checks are the project's own; no engine runs (doubles/small_lake.py).

A script begins with some words about it. Below `written:` each line is one step, a second after the one before:
- SQL, with BEGIN and COMMIT or ROLLBACK around it; `NOW()` is the script's clock;
- `acknowledged: OP KEY` (or `unclear:`): the shopper's ledger line, with the order as the newest transaction left it;
- `in the lake: SQL`: somebody changes the lake's tables behind everybody's back;
- `checkpoint N [of DATABASE][, TABLE FAULT]…`: the job's checkpoint, and the publisher's looks. A FAULT is one of
  doubles/lake_job.py: late, not compacted, compacted in part, file lost. A database is captured from the first
  checkpoint that names it; without a name all captured ones make theirs.

Below `published:` stand the rows, without their times, by which a hash differs from the hash before.

Change a script and run `python -m tests.test_golden FILE`: it prints what really comes of it. With `--write` before
FILE that is written into the script.
"""

import re
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.lake_job import Fault
from tests.doubles.small_lake import SmallLake
from tests.doubles.sqlite_engine import reader

from lakeproof.errors import LakeproofError
from lakeproof.lake.publish.audit import AuditFailed
from lakeproof.lake.publish.publisher import RoundFailed
from lakeproof.lake.sources.source import NAMES, OLTP, SOURCES, Source, find_source
from lakeproof.ledger.calls import Event
from lakeproof.proof.report import CheckReport
from lakeproof.proof.tables.canonical import microseconds
from lakeproof.proof.tables.ranges import Ranges
from lakeproof_shop.customers.ledger import Line
from lakeproof_shop.proof.contents import contents_of
from lakeproof_shop.services.order.models import Op, Order

FOLDER = Path(__file__).parent / "golden"
WRITTEN, PUBLISHED, SAYS = "written:", "published:", "check says:"
BEGINS = datetime(2026, 1, 5, 10, tzinfo=UTC)
EVENTS = {"acknowledged": Event.OK, "unclear": Event.UNCLEAR}
BEHIND = "in the lake: "
ALL_ROWS = Ranges(((-(2**63), 2**63),), with_null=True)


class Play:
    """Carries out a script's steps. published: what to say below PUBLISHED.

    orders: the orders, by key, as the newest transaction saw them before it ended. versions: the acknowledged ones.
    rows: what the newest hash shows of each database.
    """

    def __init__(self, world: SmallLake) -> None:
        self.world = world
        self.published: list[str] = []
        self.orders: dict[str, Order] = {}
        self.versions: dict[str, int] = {}
        self.rows: dict[str, Counter[str]] = {name: Counter() for name in NAMES}
        self.hashes = 0

    def step(self, line: str) -> None:
        """Carry out one line of WRITTEN."""
        self.world.clock_us += 1_000_000
        told = re.fullmatch(r"(acknowledged|unclear): (\w+) (\S+)", line)
        if told is not None:
            self._tell(EVENTS[told[1]], Op(told[2]), told[3])
        elif line.startswith(BEHIND):
            self.world.lake.execute(line.removeprefix(BEHIND))
        elif line.startswith("checkpoint "):
            self._checkpoint(line)
        else:
            if line in ("COMMIT", "ROLLBACK"):
                self.orders = self._orders()
            self.world.database.execute(line)

    def _orders(self) -> dict[str, Order]:
        found = contents_of(reader("mysql", self.world.database, OLTP.name).rows(ALL_ROWS))
        whole = (replace(order, items=tuple(found.items.get(order.id or 0, ()))) for order in found.orders)
        return {order.client_key: order for order in whole}

    def _tell(self, event: Event, op: Op, key: str) -> None:
        """Two lines of the ledger: what was asked for, and what came back."""
        order = self.orders.get(key)
        version = order.version if order is not None else self.versions[key] + 1
        if event is Event.OK:
            self.versions[key] = version
        with (self.world.stack.ledger_dir / "golden.jsonl").open("ab") as ledger:
            for each in (Event.INVOKE, event):
                ledger.write(Line(self.world.clock_us, "golden", key, op, 1, each, version, order).to_bytes())

    def _checkpoint(self, line: str) -> None:
        begun, *faults = line.split(", ")
        _, number, *database = begun.replace(" of ", " ").split()
        of_tables = {table: Fault(fault) for table, _, fault in (each.partition(" ") for each in faults)}
        sources = (find_source(database[0]),) if database else self.world.captured
        self.world.captured = tuple(each for each in SOURCES if each in (*self.world.captured, *sources))
        for source in sources:
            name = f"checkpoint {number} of {source.name}"
            try:
                published = self.world.checkpoint(source, int(number), of_tables)
            except (AuditFailed, RoundFailed) as error:
                self.published.append(f"{name}: refused: {error.message}")
                continue
            if published is None:
                self.published.append(f"{name}: passed over, for not every table can be read there")
            else:
                self._show(name, source, published.hash)

    def _show(self, checkpoint: str, source: Source, hash_: str) -> None:
        """How the hash differs from the hash before."""
        self.hashes += 1
        shown = self.world.shown(hash_, source.name).items()
        rows = Counter(f"{table}: {_in_words(row)}" for table, of in shown for row in of)
        gone, came = self.rows[source.name] - rows, rows - self.rows[source.name]
        self.rows[source.name] = rows
        same = "" if gone or came else ", the same rows" if rows else ", no rows"
        self.published.append(f"{checkpoint}: hash {self.hashes}{same}")
        self.published += [f"  - {row}" for row in gone.elements()] + [f"  + {row}" for row in came.elements()]


def _in_words(row: dict[str, Any]) -> str:
    values = ("NULL" if value is None else str(value) for value in row.values())
    return ", ".join(value for value in values if not value.startswith(str(BEGINS.date())))


def said(report: CheckReport) -> Iterator[str]:
    """As `lakeproof check` tells a report, without what passed."""
    calls = f"{report.acknowledged} acknowledged calls on {report.orders} orders, {report.unclear} unclear"
    yield f"{report.outcome}: {calls}"
    if report.cut is not None and report.cut.excused:
        yield f"{report.cut.excused} acknowledged calls are not older than the hash and need not be in it"
    for table in report.tables:
        for finding in table.findings:
            yield f"{table.engine}.{table.table} {finding.wrong}: {finding.key}: {finding.detail}"
    for claim in report.broken:
        yield claim.in_words
        yield from (f"  {key}" for key in claim.keys)
    yield from (f"not known: {reason}" for reason in report.reasons)


def actual_of(script: str) -> str:
    """The script, with what really came of it. Raises: ValueError for a step that cannot be carried out."""
    about, _, rest = script.partition(f"{WRITTEN}\n")
    written = rest.partition(f"{PUBLISHED}\n")[0].rstrip()
    with tempfile.TemporaryDirectory() as folder, closing(SmallLake(Path(folder), microseconds(BEGINS))) as world:
        play = Play(world)
        for line in filter(None, map(str.strip, written.splitlines())):
            try:
                play.step(line)
            except (sqlite3.Error, LakeproofError, ValueError, KeyError) as error:
                raise ValueError(f"{line}: {type(error).__name__}: {error}") from error
        parts = {PUBLISHED: play.published, SAYS: list(said(world.check()))}
    told = "\n".join("\n".join([head, *(f"  {line}" for line in lines), ""]) for head, lines in parts.items())
    return f"{about}{WRITTEN}\n{written}\n\n{told}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_what_is_written_is_published_and_judged_as_the_script_says(path: Path) -> None:
    script = path.read_text()
    actual = actual_of(script)
    if actual != script:
        lines = unified_diff(script.splitlines(), actual.splitlines(), "the script", "what came", n=0, lineterm="")
        differs = "\n".join(lines)
        pytest.fail(f"{differs}\n\nwhat really came of {path.name}:\n\n{actual}", pytrace=False)


def test_a_script_that_says_something_else_is_told_all_that_came_and_can_be_written_anew(tmp_path: Path) -> None:
    right = (FOLDER / "whole-order.txt").read_text()
    changed = tmp_path / "changed.txt"
    changed.write_text(right.replace("A, 2, 5.00", "A, 2, 9.99"))
    with pytest.raises(pytest.fail.Exception) as told:
        test_what_is_written_is_published_and_judged_as_the_script_says(changed)
    assert right in str(told.value)
    main(["--write", str(changed)])
    assert changed.read_text() == right


def test_a_step_that_cannot_be_carried_out_is_named() -> None:
    with pytest.raises(ValueError, match=r"INSERT INTO order VALUES \(1\): OperationalError: near"):
        actual_of("written:\n  INSERT INTO order VALUES (1)\npublished:\n")


def main(arguments: Sequence[str]) -> None:
    """Print what comes of a script, or write it into the script's file."""
    *options, name = arguments
    came = actual_of(Path(name).read_text())
    if "--write" in options:
        Path(name).write_text(came)
    else:
        print(came)


if __name__ == "__main__":
    main(sys.argv[1:])
