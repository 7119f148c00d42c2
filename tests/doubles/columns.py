"""The tables of MariaDB, as they are where nobody has changed a column."""

from lakeproof.lake.capture.columns import declared_columns
from lakeproof.lake.sources.source import OLTP

# The lake's type of a column → what MariaDB calls it.
KINDS = {
    "INT": "int",
    "BIGINT": "bigint",
    "STRING": "varchar",
    "TIMESTAMP(6)": "datetime",
    "DECIMAL(12, 2)": "decimal",
}


def columns_as_declared() -> dict[str, dict[str, str]]:
    """Table → column → type, a new one at each call."""
    return {
        table: {column: KINDS[kind] for column, kind in columns.items()}
        for table, columns in declared_columns(OLTP).items()
    }
