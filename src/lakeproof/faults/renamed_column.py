"""A column of the order database gets another name: the shop's service fails, and the lake would get NULL."""

from lakeproof.arguments import Arguments
from lakeproof.errors import InvalidInput
from lakeproof.faults.drifted_schema import DATABASE, Name, TableName
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.columns import declared_columns, look
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack

ASK_SECONDS = 5.0


class RenamedColumn(Arguments):
    """`column`: one that the lake's SQL declares. `name`: its new name."""

    table: TableName = "order_items"
    column: Name = "sku"
    name: Name = "sku_code"

    @property
    def full_table(self) -> str:
        """The table's name with its database."""
        return f"{DATABASE}.{self.table}"


def inject(stack: Stack, arguments: RenamedColumn) -> None:
    """Rename the column; safe where that is done. Raises: InvalidInput for a column that the SQL does not declare."""
    if arguments.column not in declared_columns(OLTP, stack).get(arguments.full_table, {}):
        raise InvalidInput("the lake reads no such column", where=f"{arguments.full_table}.{arguments.column}")
    _rename(stack, arguments, arguments.column, arguments.name)


def remove(stack: Stack, arguments: RenamedColumn) -> None:
    """Give the column its own name back."""
    _rename(stack, arguments, arguments.name, arguments.column)


def _rename(stack: Stack, arguments: RenamedColumn, column: str, name: str) -> None:
    connector = find_connector(OLTP.connector)
    there = mariadb.columns(stack, connector, ASK_SECONDS)[arguments.full_table]
    if column in there and name not in there:
        mariadb.rename_column(stack, connector, arguments.full_table, column, name)


def sign(stack: Stack, arguments: RenamedColumn) -> Sign:
    """The database's own list has the new name in the old one's place."""
    found = [f"{gone}→{new.column}" for gone, new in look(stack, OLTP).renamed]
    wanted = f"{arguments.full_table}.{arguments.column}→{arguments.name}"
    return Sign(wanted in found, f"renamed columns: {' '.join(found) or 'none'}")


FAULT = Fault("renamed_column", "rename a column of the order database", inject, remove, sign, RenamedColumn)
