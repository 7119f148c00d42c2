"""The SQL files of a job: lake/jobs/DATABASE/TABLE.sql for each lake table, results/TABLE.sql for a result topic.

A new table is one more file.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable

from lakeproof.errors import InvalidInput

_PRECISION = re.compile(r"\bTIMESTAMP(?:_LTZ)?\s*\(\s*([0-37-9])\s*\)", re.IGNORECASE)
_CREATE = re.compile(r"^CREATE\s+TABLE\s+IF\s+NOT\s+EXISTS\s+`?(\w+)`?", re.IGNORECASE)
_DECLARE = re.compile(r"^CREATE\s+TEMPORARY\s+TABLE\b", re.IGNORECASE)
_DECLARE_NAMED = re.compile(r"^CREATE\s+TEMPORARY\s+TABLE\s+`?(\w+)`?", re.IGNORECASE)
_SOURCE = re.compile(r"'table'\s*=\s*'([^']+)'")
_WITH = re.compile(r"\)\s*WITH\s*\(", re.IGNORECASE)
_KEY = re.compile(r"PRIMARY\s+KEY\s*\(([^)]*)\)", re.IGNORECASE)
# A comma that is not within a type's own brackets.
_BETWEEN_COLUMNS = re.compile(r",(?![^()]*\))")
_INSERT = re.compile(r"^INSERT\s+INTO\s+`?(\w+)`?", re.IGNORECASE)


@dataclass(frozen=True)
class SqlFile:
    """One lake table's statements: declare the source, create the table, insert."""

    table: str
    statements: tuple[str, ...]

    @property
    def source(self) -> str:
        """The table at the source that it reads: database.table, of PostgreSQL schema.table; empty where none."""
        named = [match[1] for each in self.statements if _DECLARE.match(each) and (match := _SOURCE.search(each))]
        return named[0] if named else ""

    @property
    def columns(self) -> dict[str, str]:
        """The columns that it reads from the source's events, with the types that the SQL declares."""
        return next((_columns(each) for each in self.statements if _DECLARE.match(each)), {})

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key that it declares for the source; none where it declares no key."""
        declared = (_KEY.search(each) for each in self.statements if _DECLARE.match(each))
        return next((tuple(name.strip(" `") for name in found[1].split(",")) for found in declared if found), ())

    @property
    def has_key(self) -> bool:
        """True where it declares a primary key, so that a row that comes again replaces the one before."""
        return bool(self.key)

    def reading_as_text(self, column: str) -> "SqlFile":
        """The same file, but reading that column as text: a value that is not of the declared type becomes NULL.

        Raises: InvalidInput for a column that it does not declare, or one of its key, which cannot be NULL.
        """
        kind = self.columns.get(column, "")
        if not kind or column in self.key:
            raise InvalidInput(
                f"{column} cannot be read as text", where=self.table, next_action="take a plain column"
            )
        name = rf"`?\b{column}\b`?"
        cast = f"TRY_CAST(`{column}` AS {kind})"

        def changed(statement: str) -> str:
            if _DECLARE.match(statement):
                return re.sub(rf"({name}\s+)[A-Z]+(\([^)]*\))?", r"\1STRING", statement, count=1)
            if _INSERT.match(statement):
                before, select, after = statement.partition("SELECT")
                return before + select + re.sub(name, cast, after, count=1)
            return statement

        return replace(self, statements=tuple(map(changed, self.statements)))

    def with_column(self, column: str, kind: str, *, in_create: bool = True) -> "SqlFile":
        """The same file with one more nullable column, which is read from the events and written to the lake.

        in_create: also in CREATE TABLE. False where another statement adds the column to the lake's table.
        """

        def changed(statement: str) -> str:
            if _DECLARE.match(statement) or (in_create and _CREATE.match(statement)):
                return _one_more(statement, f"`{column}` {kind}")
            if _INSERT.match(statement):
                before, from_, after = statement.rpartition("FROM")
                return f"{before.rstrip()}, `{column}`\n{from_}{after}"
            return statement

        named = self.naming_columns()
        return replace(named, statements=tuple(map(changed, _insert_of(named.statements, column))))

    def naming_columns(self) -> "SqlFile":
        """The same file, whose INSERT names the columns that it writes: the lake's table may have more, which stay
        NULL. Without the names Flink refuses the INSERT then.
        """
        listed = next((_columns(each) for each in self.statements if _CREATE.match(each)), {})
        names = ", ".join(f"`{name}`" for name in listed)

        def changed(statement: str) -> str:
            bare = re.match(r"INSERT\s+INTO\s+`?\w+`?(?=\s+SELECT\b)", statement, re.IGNORECASE)
            return f"{bare[0]} ({names}){statement[bare.end() :]}" if bare else statement

        return replace(self, statements=tuple(map(changed, self.statements)))

    def adding(self, column: str, kind: str) -> "SqlFile":
        """As `with_column`, with an ALTER TABLE before the INSERT, for a lake's table that lacks the column."""
        grown = self.with_column(column, kind, in_create=False)
        alter = f"ALTER TABLE `{self.table}` ADD (`{column}` {kind})"
        at = next(place for place, each in enumerate(grown.statements) if _INSERT.match(each))
        return replace(grown, statements=(*grown.statements[:at], alter, *grown.statements[at:]))


def _one_more(statement: str, column: str) -> str:
    """A CREATE TABLE with one more column behind its own, before its key."""
    start, end = statement.index("(") + 1, _WITH.search(statement).start()  # type: ignore[union-attr]
    parts = _BETWEEN_COLUMNS.split(statement[start:end])
    at = next((place for place, each in enumerate(parts) if each.strip().upper().startswith("PRIMARY")), len(parts))
    parts.insert(at, f"\n    {column}")
    if at == len(parts) - 1:
        parts[at - 1] = parts[at - 1].rstrip()
        parts[at] += "\n"
    return f"{statement[:start]}{','.join(parts)}{statement[end:]}"


def _insert_of(statements: Iterable[str], column: str) -> Iterator[str]:
    """The statements, with the column among those that the INSERT names."""
    for each in statements:
        if _INSERT.match(each):
            names, bracket, rest = each.partition(")")
            yield f"{names}, `{column}`{bracket}{rest}"
        else:
            yield each


def _columns(statement: str) -> dict[str, str]:
    """Column → type of a CREATE TABLE, without its keys."""
    listed = statement[statement.index("(") + 1 : _WITH.search(statement).start()]  # type: ignore[union-attr]
    parts = [" ".join(part.split()) for part in _BETWEEN_COLUMNS.split(listed)]
    named = [part.partition(" ") for part in parts if not part.upper().startswith("PRIMARY KEY")]
    return {name.strip("`"): kind for name, _, kind in named}


def load_sql_files(database: str, folder: Traversable | None = None) -> tuple[SqlFile, ...]:
    """All files of `folder` (default: lake/jobs/DATABASE), sorted by table.

    Raises: InvalidInput naming the file and what is wrong, before anything is submitted.
    """
    place = folder or files("lakeproof_shop.tables") / database
    found = [entry for entry in place.iterdir() if entry.name.endswith(".sql")]
    if not found:
        raise InvalidInput("no SQL file", where=str(place))
    return tuple(read_sql_file(entry) for entry in sorted(found, key=lambda entry: entry.name))


def read_sql_file(entry: Traversable) -> SqlFile:
    """One file, checked. Raises: InvalidInput."""
    table = entry.name.removesuffix(".sql")
    statements = tuple(split_statements(entry.read_text(encoding="utf-8")))
    if problem := _problem(table, statements):
        raise InvalidInput(problem, where=entry.name, next_action="correct the file; docs/lake.md says how it looks")
    return SqlFile(table, statements)


def _problem(table: str, statements: Iterable[str]) -> str | None:
    created, inserted, declared = [], [], 0
    for statement in statements:
        if precision := _PRECISION.search(statement):
            # Paimon would take the table, and then fail at every commit.
            return f"TIMESTAMP({precision[1]}): Iceberg readers need a precision of 6"
        if match := _CREATE.match(statement):
            created.append(match[1])
        elif match := _INSERT.match(statement):
            inserted.append(match[1])
        elif _DECLARE.match(statement):
            declared += 1
        else:
            return f"only CREATE TEMPORARY TABLE, CREATE TABLE IF NOT EXISTS and INSERT INTO, not: {statement[:60]}"
    if created != [table] or inserted != [table] or declared != 1:
        return f"must declare one source, create {table}, and insert into {table}, each once"
    return None


def load_result_files(database: str, folder: Traversable | None = None) -> tuple[SqlFile, ...]:
    """The result topics' files (default: lake/jobs/DATABASE/results, which not every source has), each one CREATE
    TEMPORARY TABLE, sorted by name.

    Raises: InvalidInput naming the file and what is wrong.
    """
    place = folder or files("lakeproof_shop.tables") / database / "results"
    found = []
    if not place.is_dir():
        return ()
    for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".sql"):
            table = entry.name.removesuffix(".sql")
            statements = tuple(split_statements(entry.read_text(encoding="utf-8")))
            if len(statements) != 1 or (match := _DECLARE_NAMED.match(statements[0])) is None or match[1] != table:
                raise InvalidInput(
                    f"must be one statement, CREATE TEMPORARY TABLE {table}",
                    where=f"results/{entry.name}",
                    next_action="correct the file; docs/stores.md says how it looks",
                )
            found.append(SqlFile(table, statements))
    return tuple(found)


def split_statements(text: str) -> list[str]:
    """The statements of a file, without comments and without their semicolons; quotes are respected."""
    statements: list[str] = []
    current: list[str] = []
    position = 0
    while position < len(text):
        letter = text[position]
        if text.startswith("--", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            continue
        if letter in "'`\"":
            end = text.find(letter, position + 1)
            end = len(text) - 1 if end < 0 else end
            current.append(text[position : end + 1])
            position = end + 1
            continue
        if letter == ";":
            statements.append("".join(current).strip())
            current = []
        else:
            current.append(letter)
        position += 1
    statements.append("".join(current).strip())
    return [statement for statement in statements if statement]


def table_names(database: str) -> tuple[str, ...]:
    """The lake's tables of a database, sorted. Only the files' names are looked at: the publisher asks often."""
    names = (entry.name for entry in (files("lakeproof_shop.tables") / database).iterdir())
    return tuple(sorted(name.removesuffix(".sql") for name in names if name.endswith(".sql")))
