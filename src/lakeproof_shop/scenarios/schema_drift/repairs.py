"""Repairs of the scenario schema-drift."""

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError, NotReady, TerminalError
from lakeproof.lake.capture.backfill import read_existing_rows
from lakeproof.lake.capture.columns import Difference, declared_columns, look, require_none_missing
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.evolving import evolve
from lakeproof.lake.job.sql_files import load_sql_files, split_statements
from lakeproof.lake.of_database import OfDatabase
from lakeproof.lake.publish import history
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.engine import KEPT_VALUES
from lakeproof.lake.sources.source import OLTP, Source
from lakeproof.mitigations.columns import definition, keys_with
from lakeproof.mitigations.kept_values import keep_values
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, left_out, named
from lakeproof.mitigations.named import hold as hold_to
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file
from lakeproof_shop.scenarios.schema_drift.another_name import likeness, require_another_name


class DeclareColumn(Named, OfDatabase, Mitigation):
    """Declare columns that the lake does not read yet, and redeploy the job from a savepoint.

    Declare a column that somebody added on purpose: the lake reads it from then on (`lakeproof lake evolve`).

    The other repair of a column that nobody announced is to drop it (drop_unexpected_column). Which of the two is
    right is for whoever changed the table to say, so a diagnosis never proposes this one by itself.

    `only`: the columns that may be declared (named.py).
    """

    def typed(self, stack: Stack) -> str:
        """The commands and the way back, or why there are none; only their form where the database does not
        answer.
        """
        try:
            _, found = self._to_declare(stack)
        except NotReady:
            return "lakeproof lake evolve TABLE COLUMN for each column that the lake's SQL does not declare"
        except InvalidInput as error:
            return f"nothing, it will be refused: {error.message}"
        commands = [f"lakeproof lake evolve {each.table} {each.column} --yes" for each in found]
        return f"{'; '.join(commands)} (back: the same with --undo)" if commands else "nothing to declare"

    def run(self, stack: Stack) -> str:
        """Declare the unexpected columns, one after another; safe where there is none.

        Raises: InvalidInput, with nothing declared, where a table of such a column lacks another one; as `evolve`.
        """
        unexpected, found = self._to_declare(stack)
        told = []
        for each in found:
            done = evolve(stack, each.table, each.column)
            told.append(f"{each} as {done.kind}{f' ({done.said})' if done.said else ''}")
        return f"declared: {'; '.join(told) or 'nothing, no column is unexpected'}{left_out(unexpected, found)}"

    def hold(self, stack: Stack) -> dict[str, str]:
        """The columns that are unexpected now. Raises: NotReady where the database gives no answer."""
        return hold_to(self, look(stack, self.source).without_renamed.unexpected)

    def _to_declare(self, stack: Stack) -> tuple[Sequence[Difference], list[Difference]]:
        """The unexpected columns, and those of them that may be declared. A table whose rows would be read anew and
        that lacks a column is refused. Raises: as `look`, `named` and require_none_missing.
        """
        looked = look(stack, self.source).without_renamed
        found = named(self, looked.unexpected)
        keyed = {file.source for file in load_sql_files(self.database) if file.has_key}
        require_none_missing(looked, [each.table for each in found if each.table in keyed])
        return looked.unexpected, found


MOST = KEPT_VALUES


class DropUnexpectedColumn(Named, OfDatabase, Mitigation):
    """Drop columns that neither the lake nor the shop knows, and keep their values in a file.

    Take back a column that nobody announced: drop those that neither the lake's SQL nor the shop's own schema has.

    The values of such a column go with it. The dry run lists its different values. The repair keeps these in a file
    (kept_values.py; the different values, not which row had which), and says where. A column with twenty different
    values or more is not dropped; whoever did not announce it may want to look at it first.

    `only`: the columns that may be dropped (named.py).
    """

    def typed(self, stack: Stack) -> str:
        """The statements, with the values that would be lost; only their form where the database does not answer."""
        try:
            found = named(self, list(self._to_drop(stack)))
        except NotReady:
            return "ALTER TABLE … DROP COLUMN … for each column that the lake's SQL does not declare"
        statements = "; ".join(f"ALTER TABLE {each.table} DROP COLUMN {each.column}" for each in found)
        lost = [f"{each}: {', '.join(values)}" for each, values in self._values(stack, found).items()]
        return f"{statements or 'nothing to drop'}{f'; values that go with it: {"; ".join(lost)}' if lost else ''}"

    def run(self, stack: Stack) -> str:
        """Drop the unexpected columns; safe where there is none.

        Values that are written into a column after the look are kept as well: it is read once more while nobody
        writes.
        Raises: TerminalError where a column may not be dropped or its values cannot be kept, with nothing dropped
        (unless they were written meanwhile); NotReady where the database does not do it: some columns may be dropped
        by then, and the next run drops the rest.
        """
        source = self.source
        unexpected = list(self._to_drop(stack))
        found = named(self, unexpected)
        values = self._values(stack, found)
        for each, held in values.items():
            _require_few(each, held)
        kept = _keep(stack, source, values)

        def keep_new(each: Difference, now: list[str]) -> None:
            nonlocal kept
            if not set(now) <= set(values.get(each, ())):
                _require_few(each, now)
                kept += _keep(stack, source, {each: now})

        for each in found:
            keep, connector = partial(keep_new, each), find_connector(source.connector)
            try:
                source.module.drop_column(stack, connector, each.table, each.column, keep)
            except NotReady as error:
                words = f"{each} is not dropped: {error.what}{kept}"
                raise NotReady(words, where=error.where, next_action=error.next_action) from error
        names = ", ".join(map(str, found)) or "nothing, no column is unexpected"
        return f"dropped: {names}{kept}{left_out(unexpected, found)}"

    def hold(self, stack: Stack) -> dict[str, str]:
        """The columns that are unexpected now. Raises: NotReady where the database gives no answer."""
        return hold_to(self, self._to_drop(stack))

    def _to_drop(self, stack: Stack) -> Iterator[Difference]:
        found = look(stack, self.source).without_renamed
        missing = {each.table: each for each in found.unreadable if each.kind is None}
        for each in found.unexpected:
            if in_shops_schema(each.column):
                raise TerminalError(
                    f"the shop's own schema has a column {each.column}",
                    where=each.table,
                    next_action=f"declare it: lakeproof lake evolve {each.table} {each.column}",
                )
            if each.table in missing:
                # Where two columns of one table were renamed, nobody can tell which is which.
                raise TerminalError(
                    f"{missing[each.table].column} is missing in the same table, and {each.column} may hold its "
                    "values",
                    where=each.table,
                    next_action=f"rename it back, or restore {missing[each.table].column} first; then repeat",
                )
            yield each

    def _values(self, stack: Stack, found: list[Difference]) -> dict[Difference, list[str]]:
        """The different values of each column that holds any."""
        source = self.source
        connector = find_connector(source.connector)
        held = {each: source.module.values_in(stack, connector, each.table, each.column) for each in found}
        return {each: values for each, values in held.items() if values}


def _require_few(each: Difference, held: list[str]) -> None:
    """Raises: TerminalError where the column holds so many values that somebody should look at them first."""
    if len(held) >= MOST:
        raise TerminalError(
            f"{each} holds {MOST} different values or more, which would be lost",
            where=each.table,
            next_action="keep them first, then ALTER TABLE … DROP COLUMN; or declare it: "
            f"lakeproof lake evolve {each.table} {each.column}",
        )


def in_shops_schema(column: str) -> bool:
    """True where a statement of a service's schema names the column, in whichever table."""
    schemas = [service / "schema.sql" for service in files("lakeproof_shop.services").iterdir() if service.is_dir()]
    word = re.compile(rf"\b{re.escape(column)}\b")
    scripts = (schema.read_text(encoding="utf-8") for schema in schemas if schema.is_file())
    return any(word.search(statement) for script in scripts for statement in split_statements(script))


def _keep(stack: Stack, source: Source, values: dict[Difference, list[str]]) -> str:
    """Keep the values. Gives the words that name their file; "" without values. Raises: as keep_values."""
    if not values:
        return ""
    path = keep_values(stack, source.name, {str(each): held for each, held in values.items()})
    return f"; {sum(map(len, values.values()))} different values kept in {path}"


class RenameColumnBack(OfDatabase, Mitigation):
    """Give a renamed column its old name, and have its rows read anew.

    Give a renamed column the name back that the lake's SQL and the shop's services know, and have its rows read
    anew.

    Rows that were changed while the column had another name are NULL there in the lake until they change again. So
    the connector is asked to read the table's rows once more. An append-only table of the lake would hold them
    twice, so a person has to look at its rows of that time. The tables are kept in a file of the stack until their
    rows were asked for, so that a second run goes on where the first was cut off. Where such a table lacks another
    column by then, nothing is read: the lake would lose that column's values.

    A column that was dropped while somebody added another one looks the same in the list of columns. So the values
    of both are compared before anything is renamed (another_name.py). If the rows were read with the wrong column,
    they would overwrite the lake's values of the dropped one, and only from those can it be restored.
    """

    def typed(self, stack: Stack) -> str:
        """The statements, or why there are none; only their form where the database does not answer."""
        source = self.source
        try:
            looked = look(stack, source)
        except NotReady:
            return (
                "ALTER TABLE … RENAME COLUMN … TO … for each column that has another name than the lake's SQL knows"
            )
        found = looked.renamed
        again = self._read_anew({gone.table for gone, _ in found} | self._kept_tables(stack))
        try:
            require_none_missing(looked.without_renamed, again)
            _require_renamed(stack, source, found)
        except LakeproofError as error:
            return f"nothing, it will be refused: {error.message}"
        told = [statement(gone, new) for gone, new in found]
        told += [f"the rows of {table} are read anew" for table in again]
        return "; ".join(told) or "nothing to rename"

    def run(self, stack: Stack) -> str:
        """Rename, then ask for the rows; safe where no column is renamed.

        Raises: as require_none_missing and require_another_name, with nothing renamed; NotReady, DeadlineExpired.
        """
        source = self.source
        connector = find_connector(source.connector)
        looked = look(stack, source)
        found = looked.renamed
        kept, tables = self._kept(stack), {gone.table for gone, _ in found} | self._kept_tables(stack)
        again = self._read_anew(tables)
        require_none_missing(looked.without_renamed, again)
        _require_renamed(stack, source, found)
        if found:
            write_file(kept, json.dumps(sorted(tables)))
        for gone, new in found:
            source.module.rename_column(stack, connector, gone.table, new.column, gone.column)
        if again:
            # Once more: to compare the values and to rename takes long enough for somebody to drop a column.
            require_none_missing(look(stack, source), again)
        read_existing_rows(stack, connector, again)
        kept.unlink(missing_ok=True)
        done = [f"{new} is {gone.column} again" for gone, new in found]
        done += [f"the rows of {table} are read anew" for table in again]
        left = sorted(tables - set(again))
        done += [f"rows of {table} that were written meanwhile lack it in the lake: look at them" for table in left]
        return "; ".join(done) or "nothing to rename, every column has its name"

    def _kept(self, stack: Stack) -> Path:
        return stack.state_dir / f"rename_column_back-{self.database}.json"

    def _kept_tables(self, stack: Stack) -> set[str]:
        """The tables of a run that was cut off before it had asked for their rows."""
        kept = self._kept(stack)
        return set(json.loads(kept.read_text(encoding="utf-8"))) if kept.exists() else set()

    def _read_anew(self, tables: Iterable[str]) -> list[str]:
        """Of these, the tables whose lake table has a primary key."""
        keyed = {file.source for file in load_sql_files(database=self.database) if file.has_key}
        return sorted(keyed.intersection(tables))


def statement(gone: Difference, new: Difference) -> str:
    """As a person would type it."""
    return f"ALTER TABLE {gone.table} RENAME COLUMN {new.column} TO {gone.column}"


def _require_renamed(stack: Stack, source: Source, found: Iterable[tuple[Difference, Difference]]) -> None:
    for gone, new in found:
        require_another_name(stack, source, gone, new)


READ_SECONDS, LOOK_SECONDS = 60.0, 5.0


class RestoreColumn(Mitigation):
    """Bring a dropped column back, with the lake's values.

    Bring a dropped column of the order database back, with the values that the lake has.

    To drop a column changes no row, so the lake keeps the value that each row had. The lake is read at a state that
    was published after this call, in which no row that was written before the drop is missing. A row that was
    changed since has NULL in the lake, and a person has to say what is right. Two more kinds of column are filled.
    One is a column that a repair left behind half-way: it allows NULL although the shop's schema does not. The other
    seems to be renamed and is not: the new column in its table has other values than the lake has of it
    (another_name.py).

    Nobody reads or writes the table until all of it is filled. Where a repair was cut off in that time, the shop has
    gone on with the NULLs of rows that were not filled, and `check` lists what it did to them.
    """

    def typed(self, stack: Stack) -> str:
        """The statements, for each column; only their form where the database or the lake does not answer."""
        try:
            found, unjudged = _missing(stack)
        except LakeproofError:
            return (
                "LOCK TABLES … WRITE; ALTER TABLE … ADD COLUMN IF NOT EXISTS …;"
                " UPDATE … SET … = (what the lake has) for each row; UNLOCK TABLES"
            )
        told = [
            f"LOCK TABLES {each.table} WRITE; "
            f"ALTER TABLE {each.table} ADD COLUMN IF NOT EXISTS {each.column} {definition(each.table, each.column)}; "
            f"UPDATE {each.table} SET {each.column} = (SELECT {each.column} FROM lake) for each row; UNLOCK TABLES"
            for each in found
        ]
        return "; ".join([*told, *unjudged]) or "nothing to restore"

    def run(self, stack: Stack) -> str:
        """Read the lake, then add and fill; safe where no column is missing. A second run goes on where one was cut
        off.

        A column of which nobody can tell whether it is renamed is left and named.
        Raises: TerminalError where a row's value is not in the lake, or the shop's schema does not have the column;
        CouldNotLook where only columns of that kind are missing; DeadlineExpired where `main` does not show the time
        of this call; what `ask` raises.
        """
        done = []
        found, unjudged = _missing(stack)
        if unjudged and not found:
            raise CouldNotLook("; ".join(unjudged), where=OLTP.name, next_action="look at both columns")
        if found:
            _await_published(stack, time.time() * 1e6)
        for each in found:
            wanted = definition(each.table, each.column)
            sql = f'SELECT id, "{each.column}" FROM {each.table} WHERE "{each.column}" IS NOT NULL'
            commit, answer = ask(stack, sql, seconds=READ_SECONDS)
            values = {int(key): str(value) for key, value in answer.rows}
            mariadb.add_filled_column(
                stack, each.table, each.column, wanted, values, keys_with(each.table, each.column)
            )
            done.append(f"{each} is there again, with {len(values)} values of {commit.hash[:12]}")
        return "; ".join([*done, *unjudged]) or "nothing to restore, no column is missing"


def _missing(stack: Stack) -> tuple[list[Difference], list[str]]:
    """The columns that are missing under every name, then those that are not filled to the end; and the words about
    the columns of which nobody can tell whether they only have another name, with the reason.
    """
    found = look(stack, OLTP)
    told = {str(each) for each in found.unreadable}
    nullable = mariadb.nullable_columns(stack, find_connector(OLTP.connector), LOOK_SECONDS)
    unfilled = [
        Difference(table, column, None, kind)
        for table, columns in declared_columns(OLTP, stack).items()
        for column, kind in columns.items()
        if (name := f"{table}.{column}") in nullable and name not in told and _refuses_null(table, column)
    ]
    replaced, unjudged = [], []
    for gone, new in found.renamed:
        try:
            if likeness(stack, OLTP, gone, new).unlike:
                replaced.append(gone)
        except LakeproofError as error:
            unjudged.append(f"{gone} is left: {error.message}")
    missing = [each for each in found.without_renamed.unreadable if each.kind is None]
    return [*missing, *replaced, *unfilled], unjudged


def _refuses_null(table: str, column: str) -> bool:
    """True where the shop's schema says NOT NULL. It says nothing about a captured table that is not the shop's."""
    try:
        return "NOT NULL" in definition(table, column)
    except TerminalError:
        return False


def _await_published(stack: Stack, moment_us: float) -> None:
    def shown() -> bool | None:
        beat = history.newest(stack).beat_of(OLTP.name)
        return True if beat is not None and beat > moment_us else None

    Deadline(READ_SECONDS).wait_for("main to show what was written before", shown, every=0.5, unseen_is_not_yet=True)
