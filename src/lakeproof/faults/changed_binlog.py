"""Somebody changes how MariaDB writes its binlog, to save room or because another replica likes it better.

A session keeps the setting that it began with, so the order service gets new sessions, as by its next restart. With
the default argument the binlog has only a row's changed columns, from which no connector of Debezium's can read on.
"""

from typing import Literal

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import gap, missed
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.engine import ASK_SECONDS
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.connect import PARTIAL_ROWS, task_failure
from lakeproof.stack.stack import Stack

VALUES = {"binlog_row_image": "MINIMAL", "binlog_format": "STATEMENT"}
WRITER = "order_service"


class ChangedBinlog(Arguments):
    """`setting`: the one that is changed, to a value (VALUES) by which the binlog no longer has whole rows."""

    setting: Literal["binlog_row_image", "binlog_format"] = "binlog_row_image"


def inject(stack: Stack, arguments: ChangedBinlog) -> None:
    """Change the setting, and have the order service open its sessions anew. Raises: NotReady."""
    with mariadb.as_root(stack, ASK_SECONDS) as cursor:
        cursor.execute(f"SET GLOBAL {arguments.setting} = '{VALUES[arguments.setting]}'")
    mariadb.end_connections(stack, WRITER)


def remove(stack: Stack, arguments: ChangedBinlog) -> None:
    """Set it back, and bring the rows that the connector could not read, if it may have come to any.

    A second call finds all well. Raises: as mariadb.restore_log and gap.bridge.
    """
    was_in = sign(stack, arguments).holds
    mariadb.restore_log(stack, _connector())
    marked = missed.is_noted(stack, OLTP, missed.BY_LOG)
    if was_in or marked or task_failure(stack, ASK_SECONDS, OLTP) == PARTIAL_ROWS:
        gap.bridge(stack, OLTP.connector)


def sign(stack: Stack, arguments: ChangedBinlog) -> Sign:
    """The server's own setting, which every new session takes."""
    told = mariadb.log_lacks(stack, _connector(), ASK_SECONDS)
    wanted = f"{arguments.setting}={VALUES[arguments.setting]}"
    return Sign(wanted in told, f"MariaDB's binlog: {', '.join(told) or 'as the capture needs it'}")


def _connector() -> Connector:
    return find_connector(OLTP.connector)


FAULT = Fault(
    "changed_binlog",
    "have MariaDB write only parts of rows, or statements, into its binlog",
    inject,
    remove,
    sign,
    ChangedBinlog,
)
