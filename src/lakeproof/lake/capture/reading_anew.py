"""Bridges a gap in the topic of PostgreSQL's capture: all rows are read anew.

PostgreSQL does not tell from which place in its log a slot could go on after a snapshot. So what differs cannot be
written as one transaction, as it is for MariaDB (topic_gap.py): published hashes show parts of transactions until all
rows are read, and rows that were deleted in the gap stay in the lake (docs/capture.md).

1. The connector is stopped.
2. The job goes on from its newest state and passes over all records to the end of the topic. A mark
   (job/passing_over.py) says that the lake is behind, from before this step until `main` shows the rows of step 3.
3. The connector gets its registered configuration back, where somebody has changed it, and a new slot. It reads all
   rows anew, and the job takes them.
4. Once `main` shows a later transaction, the rows that the append-only tables hold twice are taken out.

If a call is cut off anywhere, the next call begins anew.
"""

import logging

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.bridge import Resting, all_is_compared, alone, producer_of, resumed_where_it_fails, write
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.gap import await_all_captured
from lakeproof.lake.capture.new_slot import make_new_slot, require_lost
from lakeproof.lake.capture.restoring import restore
from lakeproof.lake.capture.rewriting import take_out_second_rows
from lakeproof.lake.capture.topic_gap import MARKER, STOP_SECONDS
from lakeproof.lake.job.bridging import let_main_move
from lakeproof.lake.job.passing_over import all_is_brought, all_is_written, begin_passing_over
from lakeproof.lake.job.submission import ensure_submitted, no_job, redeploy
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.lake.topic_settings import require_right
from lakeproof.stack.stack import Stack

READ_SECONDS = 900.0

log = logging.getLogger(__name__)


def read_anew(stack: Stack, name: str) -> dict[str, int]:
    """Have the PostgreSQL connector read all rows anew, while the job passes over what its topic holds; gives table →
    how many second rows were taken out. After a call that was cut off, call it again.

    Raises: as topic_settings.require_right, bridge.alone, submission.redeploy, restoring.restore,
    new_slot.make_new_slot and rewriting.take_out_second_rows; DeadlineExpired where the job does not get to the
    topic's end, or where not all is read in time: the mark stays then, and the next call does all of it again.
    A failure after that leaves nothing undone but the removal of second rows (remove_second_rows).
    """
    connector = find_connector(name)
    source = find_source(connector.database)
    # Before anything is touched.
    topic_id = require_right(stack, source)
    require_lost(stack, name, kept_too=True)
    # After a failure the connector goes on, or its slot would fill up. What it brings then is passed over or taken
    # in, and is read anew in any case.
    with alone(stack, source), resumed_where_it_fails(stack, name):
        let_main_move(stack, source)
        begin_passing_over(stack, source)
        log.info("stopping %s", name)
        send(stack, "PUT", f"/connectors/{name}/stop")
        await_state(stack, name, "STOPPED")
        resting = Resting(connector, source, {}, producer_of(stack, connector), topic_id)
        last = write(resting, [MARKER])
        log.info("having %s pass over what %s holds", source.job, source.topic)
        redeploy(stack, source)
        before = await_all_captured(stack, resting, beyond=last).states[source.name].gtid
        restore(stack, connector)
        with no_job(stack, source, STOP_SECONDS):
            all_is_written(stack, source)
        ensure_submitted(stack, source)
        make_new_slot(stack, name, log.info, kept_too=True)
        log.info("waiting until all rows of %s are read", source.name)
        _await_read(stack, source, before)
        all_is_compared(stack, resting)
        all_is_brought(stack, source)
        return take_out_second_rows(stack, source)


def _await_read(stack: Stack, source: Source, before: str | None) -> None:
    """Wait until `main` shows a heartbeat that belongs to a transaction, and not to `before`. The heartbeat's row
    that is read together with all other rows belongs to no transaction.
    """

    def read() -> bool | None:
        try:
            state = history.newest(stack).states.get(source.name)
        except CouldNotLook:
            return None
        return True if state is not None and state.gtid not in (None, before) else None

    Deadline(READ_SECONDS).wait_for(
        f"main to show {source.name} after all rows were read",
        read,
        every=1.0,
    )
