"""A table that begins to be captured must have its reader first.

The lake's job passes over rows of tables that it does not know, and these rows do not come again.
"""

import re
from collections.abc import Iterable

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.registration import unread_tables
from lakeproof.lake.job.flink_rest import rest_of
from lakeproof.lake.job.sql_files import SqlFile, load_sql_files
from lakeproof.lake.job.submission import find_job
from lakeproof.lake.sources.source import find_source
from lakeproof.stack.stack import Stack

_WRITER = re.compile(r"Writer : (\w+)")


def require_readers(stack: Stack, connector: str) -> None:
    """Refuse to capture tables, new in the connector's file, that the running job does not read.

    Raises: InvalidInput that names them and what to do first; NotReady, FlinkUnreachable where it could not look.
    """
    found = find_connector(connector)
    new = unread_tables(stack, found)
    if not new:
        return
    flink = rest_of(stack)
    job = find_job(flink, find_source(found.database))
    unread = without_reader(new, load_sql_files(found.database), flink.operators(job.id) if job is not None else "")
    if unread:
        raise InvalidInput(
            "the lake's running job does not read it, and would pass over what is captured until it does",
            where=", ".join(unread),
            next_action=f"one SQL file for each in lake/jobs/{found.database}, then "
            f"`lakeproof lake redeploy --database {found.database}`, "
            f"then `lakeproof capture register {connector}` again",
        )


def without_reader(tables: Iterable[str], sql_files: Iterable[SqlFile], operators: str) -> list[str]:
    """The source tables whose rows a job with these operators writes into no lake table."""
    written = set(_WRITER.findall(operators))
    read = {file.source for file in sql_files if file.table in written}
    return [table for table in tables if table not in read]
