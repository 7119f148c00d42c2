"""Bridges a gap in the topic of PostgreSQL's capture: all rows are read anew.

PostgreSQL tells no place of a snapshot from which a slot could go on, so what differs cannot be written as one
transaction, as of MariaDB (topic_gap.py). So hashes show parts of transactions until all is read, and what was
deleted in the gap stays in the lake (docs/postgresql.md).

1. The connector is stopped.
2. The job goes on from its newest state and takes nothing, to the end of the topic. From before that until the end a
   mark (job/passing_over.py) says that the lake is behind.
3. The connector gets back what it was registered with, where somebody has changed it, and a new slot. It reads all
   rows anew, and the job takes them.
4. Once `main` shows a transaction of after that, what the append-only tables hold twice is taken out.

Cut off anywhere the next call begins anew.
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
    """Have that connector of PostgreSQL's read all rows anew, past what its topic holds; gives how many second rows
    of which table went. Cut off anywhere, do it again.

    Raises: as topic_settings.require_right, bridge.alone, submission.redeploy, restoring.restore,
    new_slot.make_new_slot and rewriting.take_out_second_rows; DeadlineExpired where the job does not get to the
    topic's end, or where not all is read in time: the mark stays then, and all of it is done again by the next call.
    What fails after that leaves second rows alone (remove_second_rows).
    """
    connector = find_connector(name)
    source = find_source(connector.database)
    # Before anything is touched.
    topic_id = require_right(stack, source)
    require_lost(stack, name, kept_too=True)
    # Where it fails the connector goes on, or its slot would fill up: what comes is passed over, or taken in, and is
    # read anew in any case.
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
    """Until `main` shows a heartbeat of a transaction, and not the one of before: the row that is read among the
    others tells of none.
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
