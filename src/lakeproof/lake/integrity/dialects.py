"""The canonical text and its digest as SQL, one dialect per engine; a golden test holds them equal."""

from dataclasses import dataclass
from typing import Any, Protocol

from lakeproof.lake.integrity.canonical import DIGEST_HEX_DIGITS, Column, Kind, Table


class Dialect(Protocol):
    """How one engine spells a column's canonical value and the parts of its digest."""

    def value(self, column: Column) -> str:
        """A text expression for the column's canonical value; NULL stays NULL."""

    def field(self, value: str) -> str:
        """LENGTH:TEXT of that expression, or `-`."""

    def concatenated(self, fields: list[str]) -> str:
        """One text of several."""

    def digest_sum(self, text: str) -> str:
        """Over a group: the sum of the first 60 bits of the MD5 of that text, or what `sum_of` makes the sum from."""

    def sum_of(self, value: Any) -> int:
        """The sum, from what the engine gave for `digest_sum`."""

    def bucket(self, column: str, width: int) -> str:
        """Which bucket the row belongs to: floor(column / width)."""

    def quoted(self, name: str) -> str:
        """An identifier."""


@dataclass(frozen=True)
class MariaDb:
    """MariaDB and MySQL 8. The session's character set must be utf8mb4 (MD5 is over the connection's bytes)."""

    def value(self, column: Column) -> str:
        """DATETIME(6) counts from the epoch without any time zone: it holds UTC."""
        name = self.quoted(column.name)
        if column.kind is Kind.TIME:
            return f"TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {name})"
        return name

    def field(self, value: str) -> str:
        """CHAR_LENGTH counts code points."""
        text = f"CAST({value} AS CHAR CHARACTER SET utf8mb4)"
        return f"COALESCE(CONCAT(CHAR_LENGTH({text}), ':', {text}), '-')"

    def concatenated(self, fields: list[str]) -> str:
        """CONCAT."""
        return f"CONCAT({', '.join(fields)})"

    def digest_sum(self, text: str) -> str:
        """CONV gives text; without the cast the sum would be a double."""
        return f"SUM(CAST(CONV(LEFT(MD5({text}), {DIGEST_HEX_DIGITS}), 16, 10) AS UNSIGNED))"

    def sum_of(self, value: Any) -> int:
        """A decimal."""
        return int(value)

    def bucket(self, column: str, width: int) -> str:
        """DIV."""
        return f"{self.quoted(column)} DIV {width}"

    def quoted(self, name: str) -> str:
        """Backticks."""
        return f"`{name}`"


@dataclass(frozen=True)
class Trino:
    """Trino 483."""

    def value(self, column: Column) -> str:
        """to_unixtime is a double and date_format stops at milliseconds: seconds and fraction are taken apart."""
        name = self.quoted(column.name)
        if column.kind is Kind.TIME:
            seconds = f"date_diff('second', TIMESTAMP '1970-01-01 00:00:00', date_trunc('second', {name}))"
            fraction = f"CAST(substr(CAST(CAST({name} AS timestamp(6)) AS varchar), -6) AS bigint)"
            return f"CAST({seconds} * 1000000 + {fraction} AS varchar)"
        return name if column.kind is Kind.TEXT else f"CAST({name} AS varchar)"

    def field(self, value: str) -> str:
        """length counts code points."""
        return f"COALESCE(CAST(length({value}) AS varchar) || ':' || {value}, '-')"

    def concatenated(self, fields: list[str]) -> str:
        """The operator."""
        return " || ".join(fields)

    def digest_sum(self, text: str) -> str:
        """from_base gives a bigint of 60 bits; the sum is taken over decimals."""
        number = f"from_base(substr(to_hex(md5(to_utf8({text}))), 1, {DIGEST_HEX_DIGITS}), 16)"
        return f"SUM(CAST({number} AS decimal(38, 0)))"

    def sum_of(self, value: Any) -> int:
        """A decimal as text."""
        return int(value)

    def bucket(self, column: str, width: int) -> str:
        """Division of integers."""
        return f"{self.quoted(column)} / {width}"

    def quoted(self, name: str) -> str:
        """Double quotes."""
        return f'"{name}"'


@dataclass(frozen=True)
class Flink:
    """Flink 1.20."""

    def value(self, column: Column) -> str:
        """TIMESTAMPDIFF gives 32 bits; the session's zone is UTC, so UNIX_TIMESTAMP of the text is exact."""
        name = self.quoted(column.name)
        if column.kind is Kind.TIME:
            text = f"CAST(CAST({name} AS TIMESTAMP(6)) AS STRING)"
            seconds = f"UNIX_TIMESTAMP(SUBSTRING({text}, 1, 19))"
            return f"CAST({seconds} * 1000000 + CAST(SUBSTRING({text}, 21, 6) AS BIGINT) AS STRING)"
        return name if column.kind is Kind.TEXT else f"CAST({name} AS STRING)"

    def field(self, value: str) -> str:
        """CHAR_LENGTH counts code points."""
        return f"COALESCE(CAST(CHAR_LENGTH({value}) AS STRING) || ':' || {value}, '-')"

    def concatenated(self, fields: list[str]) -> str:
        """The operator."""
        return " || ".join(fields)

    def digest_sum(self, text: str) -> str:
        """The digests themselves, 15 digits a row: nothing in Flink reads hexadecimal, so the sum is taken here."""
        return f"LISTAGG(SUBSTRING(MD5({text}), 1, {DIGEST_HEX_DIGITS}))"

    def sum_of(self, value: Any) -> int:
        """Their sum. Looking up each digit in SQL instead took a minute to compile."""
        return sum(int(digest, 16) for digest in str(value).split(","))

    def bucket(self, column: str, width: int) -> str:
        """Division of integers."""
        return f"{self.quoted(column)} / {width}"

    def quoted(self, name: str) -> str:
        """Backticks."""
        return f"`{name}`"


def canonical_text(dialect: Dialect, table: Table, only: tuple[str, ...] | None = None) -> str:
    """The canonical text of a row, or of some of its columns, as an SQL expression."""
    columns = [column for column in table.columns if only is None or column.name in only]
    return dialect.concatenated([dialect.field(dialect.value(column)) for column in columns])


def digests_sql(dialect: Dialect, table: Table, source: str, width: int) -> str:
    """Per bucket: its number, how many rows, the sum of digests, the sum of digests of the identity alone."""
    full, identity = canonical_text(dialect, table), canonical_text(dialect, table, table.identity)
    bucket = dialect.bucket(table.order_column, width)
    return (
        f"SELECT {bucket} AS bucket, COUNT(*) AS row_count, {dialect.digest_sum(full)} AS digest_sum, "
        f"{dialect.digest_sum(identity)} AS identity_sum FROM {source} GROUP BY {bucket}"
    )


def rows_sql(dialect: Dialect, table: Table, source: str, ranges: list[tuple[int, int]]) -> str:
    """Canonical values of all rows of some ranges [from, below) of order ids."""
    column = dialect.quoted(table.order_column)
    where = " OR ".join(f"({column} >= {start} AND {column} < {end})" for start, end in ranges) or "1 = 0"
    values = ", ".join(f"{dialect.value(each)} AS {dialect.quoted(each.name)}" for each in table.columns)
    return f"SELECT {values} FROM {source} WHERE {where}"
