"""The canonical text and its digest as SQL, one dialect per engine; a golden test holds them equal.

A dialect is data: SQL templates, in which {0} stands for the argument.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lakeproof.proof.tables.canonical import DIGEST_HEX_DIGITS, Column, Kind, Table
from lakeproof.proof.tables.ranges import LARGEST_ID, SMALLEST_ID, Ranges

# The same in all dialects.
_BOOLEAN = "CASE WHEN {0} THEN 'true' WHEN NOT {0} THEN 'false' END"


def literal(text: str) -> str:
    """A text in SQL and in CQL."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Dialect:
    """How one engine spells a column's canonical value and the parts of its digest.

    quote: the character around an identifier.
    number, time, text: a column's canonical value as text (`time`: microseconds since the epoch, UTC; `text`: also
    for types that are text in the lake). NULL stays NULL.
    field: LENGTH:TEXT of that value, or `-` for NULL; lengths count code points.
    between, joined: join several fields to one text, with `between` between them.
    digest: the first 60 bits of the MD5 of a text.
    quotient: {0} / {1} as a whole number, which every engine cuts towards zero (`bucket_of` mends that).
    text_bucket: the first two hexadecimal digits of the MD5 of a text.
    total: the sum of a group's digests, or an aggregate from which `sum_of` makes that sum.
    grouped_once: True where one GROUP BY over the rows of all tables is cheaper than one for each table.
    """

    quote: str
    number: str
    time: str
    field: str
    between: str
    joined: str
    digest: str
    quotient: str
    text_bucket: str
    text: str = "{0}"
    total: str = "SUM({0})"
    sum_of: Callable[[Any], int] = int
    grouped_once: bool = True

    def quoted(self, name: str) -> str:
        """An identifier."""
        return f"{self.quote}{name}{self.quote}"

    def value(self, column: Column) -> str:
        """A text expression for the column's canonical value; NULL stays NULL."""
        name = self.quoted(column.name)
        known = {Kind.TIME: self.time, Kind.TEXT: self.text, Kind.BOOLEAN: _BOOLEAN}
        return known.get(column.kind, self.number).format(name)

    def bucket_of(self, table: Table, width: int) -> str:
        """An expression for the bucket that a row lies in: floor(id / width), or two hexadecimal digits for a text
        key; NULL where the id is NULL.
        """
        name = self.quoted(table.order_column)
        if table.has_text_key:
            return self.text_bucket.format(self.text.format(name))
        # Division that cuts towards zero would put the ids -15 to 15 into one bucket, while `rows_sql` reads that
        # bucket by a range that begins at 0. MOD has the sign of the id in all engines.
        return f"{self.quotient.format(name, width)} - CASE WHEN MOD({name}, {width}) < 0 THEN 1 ELSE 0 END"

    def text_of(self, columns: list[Column]) -> str:
        """The canonical text of these columns."""
        return self.joined.format(self.between.join(self.field.format(self.value(column)) for column in columns))


# MariaDB and MySQL 8. The session's character set must be utf8mb4 (MD5 is over the connection's bytes). DATETIME(6)
# counts from the epoch without any time zone: it holds UTC. CONV gives text; without the cast the sum is a double.
MARIADB = Dialect(
    quote="`",
    number="{0}",
    time="TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {0})",
    field=(
        "COALESCE(CONCAT(CHAR_LENGTH(CAST({0} AS CHAR CHARACTER SET utf8mb4)), ':', "
        "CAST({0} AS CHAR CHARACTER SET utf8mb4)), '-')"
    ),
    between=", ",
    joined="CONCAT({0})",
    digest=f"CAST(CONV(LEFT(MD5({{0}}), {DIGEST_HEX_DIGITS}), 16, 10) AS UNSIGNED)",
    quotient="{0} DIV {1}",
    text_bucket="LEFT(MD5({0}), 2)",
    grouped_once=False,  # it would write the rows of all tables into one temporary table
)

# PostgreSQL 15. EXTRACT gives numeric, so the product is exact; 15 hexadecimal digits fit a bigint without its sign.
# uuid and jsonb are text in the lake, spelled as PostgreSQL spells them.
POSTGRES = Dialect(
    quote='"',
    number="CAST({0} AS text)",
    time="CAST(CAST(EXTRACT(EPOCH FROM {0}) * 1000000 AS bigint) AS text)",
    field="COALESCE(CAST(char_length({0}) AS text) || ':' || {0}, '-')",
    between=" || ",
    joined="{0}",
    digest=f"CAST(CAST('x' || substr(md5({{0}}), 1, {DIGEST_HEX_DIGITS}) AS bit(60)) AS bigint)",
    quotient="{0} / {1}",
    text_bucket="substr(md5({0}), 1, 2)",
    text="CAST({0} AS text)",
    grouped_once=False,
)

# Trino 483. to_unixtime gives a double and date_format stops at milliseconds, so seconds and fraction are computed
# apart. from_base gives a bigint of 60 bits; the sum is taken over decimals.
TRINO = Dialect(
    quote='"',
    number="CAST({0} AS varchar)",
    time=(
        "CAST(date_diff('second', TIMESTAMP '1970-01-01 00:00:00', date_trunc('second', {0})) * 1000000 + "
        "CAST(substr(CAST(CAST({0} AS timestamp(6)) AS varchar), -6) AS bigint) AS varchar)"
    ),
    field="COALESCE(CAST(length({0}) AS varchar) || ':' || {0}, '-')",
    between=" || ",
    joined="{0}",
    digest=f"CAST(from_base(substr(to_hex(md5(to_utf8({{0}}))), 1, {DIGEST_HEX_DIGITS}), 16) AS decimal(38, 0))",
    quotient="{0} / {1}",
    text_bucket="lower(substr(to_hex(md5(to_utf8({0}))), 1, 2))",
)


def _sum_of_digests(listed: Any) -> int:
    """Flink cannot parse hexadecimal, and SQL that looks up each digit took a minute to compile, so Python sums."""
    return sum(int(digest, 16) for digest in str(listed).split(","))


# Flink 1.20. TIMESTAMPDIFF gives 32 bits; the session's zone is UTC, so UNIX_TIMESTAMP of the text is exact. Instead
# of a sum it gives the list of the digests, 15 digits a row.
FLINK = Dialect(
    quote="`",
    number="CAST({0} AS STRING)",
    time=(
        "CAST(UNIX_TIMESTAMP(SUBSTRING(CAST(CAST({0} AS TIMESTAMP(6)) AS STRING), 1, 19)) * 1000000 + "
        "CAST(SUBSTRING(CAST(CAST({0} AS TIMESTAMP(6)) AS STRING), 21, 6) AS BIGINT) AS STRING)"
    ),
    field="COALESCE(CAST(CHAR_LENGTH({0}) AS STRING) || ':' || {0}, '-')",
    between=" || ",
    joined="{0}",
    digest=f"SUBSTRING(MD5({{0}}), 1, {DIGEST_HEX_DIGITS})",
    total="LISTAGG({0})",
    quotient="{0} / {1}",
    text_bucket="SUBSTRING(MD5({0}), 1, 2)",
    sum_of=_sum_of_digests,
)


# Spark 3.5, in ANSI mode. The session's zone is UTC, so a timestamp without a zone is read as UTC. conv gives text,
# of at most 64 unsigned bits.
SPARK = Dialect(
    quote="`",
    number="CAST({0} AS STRING)",
    time="CAST(unix_micros(CAST({0} AS TIMESTAMP)) AS STRING)",
    field="COALESCE(CONCAT(CAST(char_length({0}) AS STRING), ':', {0}), '-')",
    between=", ",
    joined="CONCAT({0})",
    digest=f"CAST(conv(substring(md5(CAST({{0}} AS BINARY)), 1, {DIGEST_HEX_DIGITS}), 16, 10) AS DECIMAL(20, 0))",
    quotient="{0} DIV {1}",
    text_bucket="substring(md5(CAST({0} AS BINARY)), 1, 2)",
)


def canonical_text(dialect: Dialect, table: Table, only: tuple[str, ...] | None = None) -> str:
    """The canonical text of a row, or of some of its columns, as an SQL expression."""
    columns = [column for column in table.columns if only is None or column.name in only]
    return dialect.text_of(columns)


def digests_sql(dialect: Dialect, tables: Iterable[tuple[str, Table, str, int]]) -> str:
    """SQL for, per table and bucket: the bucket's number as text, the number of rows, the sum of digests, the sum of
    the identities' digests. tables: (name in the answer, the table, its expression for FROM, width of a bucket).
    """
    # The bucket is text in every engine, so that tables with numbers and with text as keys fit into one statement.
    each = [
        (
            f"SELECT '{name}' AS table_name, {_bucket_text(dialect, table, width)} AS bucket,",
            dialect.digest.format(canonical_text(dialect, table)),
            dialect.digest.format(canonical_text(dialect, table, table.identity)),
            source,
        )
        for name, table, source, width in tables
    ]
    sums = f"COUNT(*) AS row_count, {dialect.total} AS digest_sum, {dialect.total.replace('0', '1')} AS identity_sum"
    if not dialect.grouped_once:
        return " UNION ALL ".join(
            f"{begin} {sums.format(full, identity)} FROM {source} GROUP BY 2"
            for begin, full, identity, source in each
        )
    rows = " UNION ALL ".join(
        f"{begin} {full} AS full_digest, {identity} AS identity_digest FROM {source}"
        for begin, full, identity, source in each
    )
    totals = sums.format("full_digest", "identity_digest")
    return f"SELECT table_name, bucket, {totals} FROM ({rows}) AS each_row GROUP BY table_name, bucket"


def _bucket_text(dialect: Dialect, table: Table, width: int) -> str:
    bucket = dialect.bucket_of(table, width)
    return bucket if table.has_text_key else dialect.number.format(f"({bucket})")


def rows_sql(dialect: Dialect, table: Table, source: str, ranges: Ranges) -> str:
    """SQL for the canonical values of all rows in these ranges of order ids, or in these buckets of a text key."""
    if table.has_text_key:
        column = dialect.bucket_of(table, 1)
        parts = [f"({column} >= '{start:02x}' AND {column} <= '{end - 1:02x}')" for start, end in ranges.spans]
    else:
        column = dialect.quoted(table.order_column)
        parts = [_within(column, start, end) for start, end in ranges.spans]
    if ranges.with_null:
        parts.append(f"({column} IS NULL)")
    where = " OR ".join(parts) or "1 = 0"
    values = ", ".join(f"{dialect.value(each)} AS {dialect.quoted(each.name)}" for each in table.columns)
    return f"SELECT {values} FROM {source} WHERE {where}"


def _within(column: str, start: int, end: int) -> str:
    """start <= column < end. A bound outside 64 bits is left out: it bounds nothing, and no engine accepts it."""
    bounds = [f"{column} >= {start}"] if start > SMALLEST_ID else []
    bounds += [f"{column} < {end}"] if end <= LARGEST_ID else []
    return f"({' AND '.join(bounds) or f'{column} IS NOT NULL'})"
