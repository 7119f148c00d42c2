"""Captured tables that no ledger knows: database against lake, in several looks, so that traffic makes no finding.

A row that differs is looked at again, at a hash that covers the first look at the database. If the database still has
the very same row, the lake must have it by then: only such rows are findings. A row that the database changed
meanwhile is looked at once more in the same way; if it changed then too, it is counted as unsettled.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lakeproof.errors import LakeproofError
from lakeproof.lake.publish.beat import HEARTBEAT_TABLE
from lakeproof.lake.sources.source import Source
from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.report import AGREE, ClaimReport, TableReport
from lakeproof.proof.tables.accounting import unlike_digests
from lakeproof.proof.tables.buckets import Digests, differing, rows_in
from lakeproof.proof.tables.canonical import TABLES, Column, Kind, Table, as_text
from lakeproof.proof.tables.ranges import in_words, ranges_of
from lakeproof.proof.tables.readers import Reader, Rows

LOOKS = 3

# Not compared here: the ledger's tables, and the heartbeat's, whose row has another shape in the lake.
KNOWN = frozenset({table.name for table in TABLES} | {HEARTBEAT_TABLE})

# By engine: the kind as which each column type is compared, and the kinds that a primary key may have.
_COMPARED: Mapping[str, tuple[Mapping[str, Kind], tuple[Kind, ...]]] = {
    "mysql": (
        {
            **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), Kind.INTEGER),
            **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum"), Kind.TEXT),
            **dict.fromkeys(("datetime", "timestamp"), Kind.TIME),
            "decimal": Kind.DECIMAL,
        },
        (Kind.INTEGER,),
    ),
    "postgres": (
        {
            **dict.fromkeys(("int2", "int4", "int8"), Kind.INTEGER),
            **dict.fromkeys(("text", "varchar", "uuid", "jsonb"), Kind.TEXT),
            **dict.fromkeys(("timestamp", "timestamptz"), Kind.TIME),
            "numeric": Kind.DECIMAL,
            "bool": Kind.BOOLEAN,
        },
        (Kind.INTEGER, Kind.TEXT),
    ),
}

# Primary key → the rows of that key as canonical text; several only where something is wrong.
type ByKey = Mapping[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True)
class Compared:
    """The database compared with one of the lake's engines. digests: that engine's, to compare other engines with.

    unknown: differences that the rows did not explain.
    """

    reports: tuple[TableReport, ...]
    engine: str
    digests: Digests
    width: int
    unknown: tuple[str, ...] = ()


class NotComparable(Exception):
    """Says why a table cannot be compared; not raised for an error of the reader."""


def described(of: Source, database: Reader, name: str) -> Table:
    """A captured table as its database describes it. Raises: NotComparable, CouldNotLook."""
    if database.schemas and name not in database.schemas:
        raise NotComparable(f"{name}: published, but no connector's file lists it")
    rows = of.module.described(database.ask, database.schemas.get(name, database.schema), name)
    return _table(name, rows, *_COMPARED[of.engine])


def part_of(table: Table, columns: Collection[str]) -> Table:
    """The table with only its key and these columns; its `part` is empty where it has none of the columns."""
    kept = tuple(column for column in table.columns if column.name in {table.order_column, *columns})
    return replace(table, columns=kept, part="+".join(each.name for each in kept if each.name in columns))


def without(table: Table, columns: Collection[str]) -> Table:
    """The table without these columns."""
    return replace(table, columns=tuple(column for column in table.columns if column.name not in columns))


def _table(name: str, rows: Rows, kinds: Mapping[str, Kind], of_keys: tuple[Kind, ...]) -> Table:
    """rows: (column, type, whether the column is in the primary key). Raises: NotComparable."""
    if not rows:
        raise NotComparable(f"{name}: published, but not in the database")
    strange = [f"{column} {kind}" for column, kind, _ in rows if str(kind).lower() not in kinds]
    if strange:
        raise NotComparable(f"{name}: columns of these types are not compared: {', '.join(strange)}")
    columns = tuple(Column(str(column), kinds[str(kind).lower()]) for column, kind, _ in rows)
    keys = [str(column) for column, _, key in rows if key]
    fit = {column.name for column in columns if column.kind in of_keys}
    if len(keys) != 1 or keys[0] not in fit:
        raise NotComparable(f"{name}: its primary key is not one column of {' or '.join(of_keys)}")
    return Table(name, columns, keys[0], (keys[0],))


@dataclass(frozen=True)
class FirstLook:
    """Tables in the database and in one engine of the lake. ours, theirs: their digests in the two."""

    tables: Sequence[Table]
    width: int
    database: Reader
    lake: Reader
    ours: Digests
    theirs: Digests


def compare_others(first: FirstLook, look_again: Callable[[], tuple[Reader, Reader]], prefix: str = "") -> Compared:
    """Compare these tables in the database and in the lake's engine.

    look_again: gives new readers of the database and the lake, the lake at a hash that covers the previous look at
    the database; raises LakeproofError or OSError where there is none. prefix: of the tables' names in reports.
    """
    tables, width, database, lake = first.tables, first.width, first.database, first.lake
    ours, theirs = first.ours, first.theirs
    opened = {
        table.name: (table, buckets)
        for table in tables
        if (buckets := differing(ours[table.name], theirs[table.name]))
    }
    findings: dict[str, list[Finding]] = defaultdict(list)
    unknown: list[str] = []
    unsettled: dict[str, set[str]] = {}
    if opened:
        before: dict[str, ByKey] = {}
        suspects: dict[str, set[str]] = {}
        for name, (table, buckets) in opened.items():
            sides = _rows(table, buckets, width, database, lake)
            for reader, digests, rows in zip((database, lake), (ours, theirs), sides, strict=True):
                unknown += unlike_digests(reader.engine, digests, {name: rows}, buckets, width, [table])
            before[name], shown = by_key(table, sides[0]), by_key(table, sides[1])
            unsettled[name] = {*before[name], *shown}
            suspects[name] = {key for key in unsettled[name] if before[name].get(key) != shown.get(key)}
        for _ in range(1, LOOKS):
            if not any(unsettled.values()):
                break
            try:
                again = look_again()
            except (LakeproofError, OSError) as error:
                # Findings of earlier looks stay; rows that still differ count as unsettled.
                unknown.append(str(error))
                unsettled = {name: keys & suspects[name] for name, keys in unsettled.items()}
                break
            for name, keys in unsettled.items():
                table, buckets = opened[name]
                now, shown = (by_key(table, rows) for rows in _rows(table, buckets, width, *again))
                found, moving = settled(f"{prefix}{table.told}", keys, before[name], now, shown)
                findings[name] += found
                # A row that was the same on both sides at the first look is judged, and not followed further.
                before[name], unsettled[name] = now, moving & suspects[name]
    reports = tuple(
        TableReport(f"{prefix}{table.told}", engine, rows_in(digests, table.name), tuple(found), unsettled=count)
        for table in tables
        for engine, digests, found, count in (
            (database.engine, ours, [], 0),
            (lake.engine, theirs, findings[table.name], len(unsettled.get(table.name, ()))),
        )
    )
    return Compared(reports, lake.engine, theirs, width, tuple(unknown))


def agreement(
    tables: Sequence[Table], compared: Compared, other: str, digests: Digests, prefix: str = ""
) -> ClaimReport:
    """Do two of the lake's engines give the same digests? They read one hash, so no difference is allowed."""
    keys = tuple(
        f"{prefix}{table.told}, {in_words(bucket, compared.width, of_text=table.has_text_key)}"
        for table in tables
        for bucket in sorted(differing(compared.digests[table.name], digests[table.name]))
    )
    of = f"tables of {prefix.removesuffix('.')}" if prefix else "other tables"
    return ClaimReport(f"{AGREE} of {of} ({compared.engine}, {other})", keys, len(tables), "tables")


def _rows(table: Table, buckets: set[int], width: int, database: Reader, lake: Reader) -> tuple[Rows, Rows]:
    """The rows of these buckets in the database and in the lake."""
    ranges = ranges_of(buckets, 1 if table.has_text_key else width)
    return database.rows(ranges, [table])[table.name], lake.rows(ranges, [table])[table.name]


def by_key(table: Table, rows: Rows) -> ByKey:
    """Rows by primary key, as text."""
    place = [column.name for column in table.columns].index(table.order_column)
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for row in rows:
        found[str(row[place])].append(tuple("NULL" if value is None else f"={as_text(value)}" for value in row))
    return {key: tuple(sorted(same)) for key, same in found.items()}


def settled(
    name: str, keys: Iterable[str], earlier: ByKey, database: ByKey, lake: ByKey
) -> tuple[list[Finding], set[str]]:
    """Findings for the keys that differ although the database has not changed their rows since its earlier look; and
    the keys that differ and that it has changed, which cannot be judged yet.
    """
    findings, moving = [], set[str]()
    for key in sorted(keys):
        before, now, shown = earlier.get(key, ()), database.get(key, ()), lake.get(key, ())
        if shown == now:
            continue
        if before != now:
            moving.add(key)
        elif not shown:
            findings.append(Finding(name, Wrong.LOST, key, "in the database, not in the lake"))
        elif not now:
            findings.append(Finding(name, Wrong.PHANTOM, key, "in the lake, not in the database"))
        elif len(shown) > len(now):
            findings.append(Finding(name, Wrong.DUPLICATED, key, f"{len(shown)} rows in the lake"))
        else:
            findings.append(Finding(name, Wrong.STALE, key, "the lake has another content"))
    return findings, moving
