"""Have a database write its log as the capture needs it: MariaDB's settings of the binlog, PostgreSQL's publication.

What was written meanwhile stays in the log as it is, so that rows are missing in the lake, or a task cannot read on.
Another step brings the rows: bridge_capture_gap, or bridge_topic_gap for PostgreSQL. Until then a mark tells of them.
"""

from lakeproof.lake.capture import missed
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.of_database import OfDatabase
from lakeproof.lake.sources.engine import ASK_SECONDS
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfDatabase) -> str:
    """The statements."""
    source = arguments.source
    found = "; ".join(source.module.log_statements(find_connector(source.connector)))
    ending = "; -- then end the sessions of every account that writes: they go by the old settings"
    return found + (ending if source.engine == "mysql" else "")


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Set the wrong settings right. Raises: as Engine.restore_log."""
    source = arguments.source
    connector = find_connector(source.connector)
    before = source.module.log_lacks(stack, connector, ASK_SECONDS)
    if before:
        missed.note(stack, source, missed.BY_LOG)
    ended = source.module.restore_log(stack, connector)
    return f"set right in {source.server}: {', '.join(before) or 'nothing'}; {ended} sessions ended"


MITIGATION = Mitigation(
    "restore_log", "have the database write its log as the capture needs it", typed, run, OfDatabase
)
