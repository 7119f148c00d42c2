"""What the lake lacks of a database, row by row, as the events that a connector would have written.

Both sides are read in the job's own columns and turned into the connector's form (decimals as text, times in ISO
8601), so that equal values look equal, and a row that differs can be written as it is.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lakeproof.errors import TerminalError
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.sources.engine import Ask

# Rows that are read at once.
AT_ONCE = 20_000
DECIMALS, TEXTS = ("DECIMAL", "NUMERIC"), ("STRING", "VARCHAR", "CHAR")
NUMBERS = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT")
# The types of the job's SQL whose values are compared, beside every TIMESTAMP.
COMPARED = frozenset((*DECIMALS, *TEXTS, *NUMBERS, "BOOLEAN"))
WHOLE_NUMBERS = frozenset(("tinyint", "smallint", "mediumint", "int", "bigint"))

type Row = Mapping[str, Any]
# A function that runs a statement in the lake and gives its rows.
type AskLake = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Event:
    """A row's change. op: c, u or d. before, after: the row's images, None where the operation has none."""

    table: str
    op: str
    before: Row | None
    after: Row | None


@dataclass
class Difference:
    """What the lake lacks.

    events: the changes that bring it.
    kept: append-only table → how many of its rows the database does not have, or has with other values.
    twice: append-only table → how many of its rows the lake holds a second time, equal in every value.
    """

    events: list[Event] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    twice: dict[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Table → how many events."""
        found: dict[str, int] = {}
        for event in self.events:
            found[event.table] = found.get(event.table, 0) + 1
        return found


@dataclass(frozen=True)
class Table:
    """A captured table, as both sides are asked for it.

    lake: its name in the lake.
    names: the columns that are compared.
    key: the column of its primary key, a whole number.
    """

    file: SqlFile
    lake: str
    names: tuple[str, ...]
    key: str

    @property
    def source(self) -> str:
        """Its name at the source."""
        return self.file.source

    def image(self, row: Iterable[Any]) -> Row:
        """The values of `names`, in the connector's form."""
        return {name: value_of(self.file.columns[name], value) for name, value in zip(self.names, row, strict=True)}


def value_of(kind: str, value: Any) -> Any:
    """A value as the connector writes it. kind: its type, as the job's SQL declares it.

    It may come from the database's driver, from Trino (times and decimals as text) or from the connector itself.
    Raises: TerminalError for a type of which nothing is known here.
    """
    name = kind.upper().partition("(")[0].strip()
    if name not in COMPARED and not name.startswith("TIMESTAMP"):
        raise TerminalError(f"values of the type {kind} are not compared", where="the job's SQL files")
    if value is None:
        return None
    if name.startswith("TIMESTAMP"):
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).removesuffix("Z"))
        return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if name in DECIMALS:
        return format(Decimal(str(value)), "f")
    if name in TEXTS:
        return str(value)
    if name in NUMBERS:
        return int(value)
    return bool(value)


def table_of(ask: Ask, ask_lake: AskLake, file: SqlFile, lake: str, described: Sequence[Sequence[Any]]) -> Table:
    """How that table is compared. lake: its name in the lake. described: as Engine.described gives it.

    Raises: TerminalError where its key is not one whole number, or where the database lacks a column of which the
    lake holds values: an event without the column would erase these values.
    """
    kinds = {str(name): str(kind).lower() for name, kind, _ in described}
    keys = [str(name) for name, _, in_key in described if in_key]
    if len(keys) != 1 or kinds[keys[0]] not in WHOLE_NUMBERS:
        raise TerminalError(
            f"its primary key is {', '.join(keys) or 'nothing'}, not one whole number", where=file.source
        )
    for name in file.columns.keys() - kinds.keys():
        if ask_lake(f'SELECT 1 FROM {lake} WHERE "{name}" IS NOT NULL LIMIT 1'):
            raise TerminalError(
                f"the database lacks the column {name}, of which the lake holds values",
                where=file.source,
                next_action="lakeproof diagnose names the repair; then this",
            )
    names = tuple(name for name in kinds if name in file.columns)
    for name in names:
        value_of(file.columns[name], None)  # raises for a type that is not compared
    return Table(file, lake, names, keys[0])


def compare(ask: Ask, ask_lake: AskLake, table: Table, came: Sequence[Event], found: Difference) -> None:
    """Add to `found` what the lake lacks of that table. came: the table's events that the job holds and will show."""
    ours_columns = ", ".join(f"`{name}`" for name in table.names)
    lake_columns = ", ".join(f'"{name}"' for name in table.names)
    after: int | None = None
    while True:
        above = "" if after is None else f"`{table.key}` > {after}"
        page = [
            table.image(row)
            for row in ask(
                f"SELECT {ours_columns} FROM {table.source}{' WHERE ' + above if above else ''}"
                f" ORDER BY `{table.key}` LIMIT {AT_ONCE}"
            )
        ]
        last = int(page[-1][table.key]) if len(page) == AT_ONCE else None
        bounds = [
            *(() if after is None else (f'"{table.key}" > {after}',)),
            *(() if last is None else (f'"{table.key}" <= {last}',)),
        ]
        where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
        lakes = [table.image(row) for row in ask_lake(f"SELECT {lake_columns} FROM {table.lake}{where}")]
        shown = {row[table.key]: row for row in lakes}
        different = len({tuple(row.values()) for row in lakes})
        _add(found.twice, table.source, len(lakes) - different)
        _add(found.kept, table.source, different - len(shown))
        for event in came:
            number = int((event.after or event.before or {})[table.key])
            if (after is None or number > after) and (last is None or number <= last):
                take_in(shown, number, event)
        add_differences(found, table, page, shown)
        if last is None:
            return
        after = last


def take_in(shown: dict[int, Row], number: int, event: Event) -> None:
    """Change `shown` into what the lake will show once the job passes the event on."""
    if event.op == "d":
        shown.pop(number, None)
    elif event.after is not None:
        shown[number] = event.after


def add_differences(found: Difference, table: Table, there: Iterable[Row], shown: Mapping[int, Row]) -> None:
    """Add to `found` how both differ. there: the database's rows. shown: key → the lake's row, for the same keys."""
    ours = {row[table.key]: row for row in there}
    for number in sorted(ours.keys() | shown.keys()):
        now, before = ours.get(number), shown.get(number)
        if now == before:
            continue
        if before is not None and not table.file.has_key:
            _add(found.kept, table.source, 1)
            continue
        found.events.append(Event(table.source, "c" if before is None else "d" if now is None else "u", before, now))


def _add(counts: dict[str, int], table: str, rows: int) -> None:
    if rows:
        counts[table] = counts.get(table, 0) + rows


def event_of(table: Table, told: Mapping[str, Any]) -> Event:
    """The Event of a record that the connector wrote."""

    def image(row: Mapping[str, Any] | None) -> Row | None:
        return None if row is None else table.image([row.get(name) for name in table.names])

    return Event(table.source, str(told["op"]), image(told.get("before")), image(told.get("after")))


def records(found: Difference, transaction: str, now_us: int) -> Iterator[bytes]:
    """The rows as one transaction of that id, as the connector would have written it, and its END.

    The END counts these rows alone. Of a transaction that came in part the job holds more rows than that, and takes
    it for complete. An END that also counted the rows that came might count more than the job holds, where some came
    twice, and the job would stop there.
    """
    counts: dict[str, int] = {}
    for order, event in enumerate(found.events, 1):
        counts[event.table] = counts.get(event.table, 0) + 1
        schema, _, name = event.table.rpartition(".")
        told = {
            "before": event.before,
            "after": event.after,
            "op": event.op,
            "ts_ms": now_us // 1000,
            "source": {"db": schema, "table": name, "ts_ms": now_us // 1000, "ts_us": now_us},
            "transaction": {"id": transaction, "total_order": order, "data_collection_order": counts[event.table]},
        }
        yield json.dumps(told).encode()
    collections = [{"data_collection": table, "event_count": count} for table, count in counts.items()]
    end = {
        "status": "END",
        "id": transaction,
        "ts_ms": now_us // 1000,
        "event_count": sum(counts.values()),
        "data_collections": collections,
    }
    yield json.dumps(end).encode()


def in_words(found: Difference) -> str:
    """A difference in words."""
    rows = ", ".join(f"{count} of {table}" for table, count in found.counts().items()) or "none"
    kept = "".join(f"; {count} rows of {table} stay, which takes none back" for table, count in found.kept.items())
    return f"rows that the lake lacked: {rows}{kept}"


def as_utc(seconds: float) -> datetime:
    """A UNIX time as a datetime in UTC without a zone, as the driver gives times."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
