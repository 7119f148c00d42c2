"""Bridges a gap in the topic: records that the lake's job has to read next are gone from it, or rows of a transaction
never came into it, so that the job stops at that transaction's END.

Neither a restart nor an older state gets the job on, for the topic stays as it is. But the database has all that the
topic had. So the job passes over what is left of the topic, and what the lake lacks is brought from the database:

1. The connector is stopped.
2. The job goes on from its newest state and passes over all records to the end of the topic. `main` keeps its data. A
   mark (job/passing_over.py) says that the lake is behind, from before this step until the last one.
3. The connector gets its registered configuration back, where somebody has changed it. Once `main` shows the job's
   state at the topic's end, the database is compared with the lake at that hash (bridge.py).
4. The job is ended, what differs is written as one transaction together with the connector's place, and the job goes
   on as usual.
5. Once `main` shows the difference the mark is taken away, and the connector goes on.

If a call is cut off anywhere, the next call begins anew, and finds what the lake lacks by then. No published state
shows a part of a transaction (of one up to the size that the job keeps whole, docs/lake.md).
"""

import json
import logging
from dataclasses import replace

from lakeproof.errors import TerminalError
from lakeproof.lake.capture.bridge import (
    Resting,
    all_is_compared,
    alone,
    at_rest,
    compared,
    known_offset,
    require_at_rest,
    require_comparable,
    write,
)
from lakeproof.lake.capture.difference import Difference, records
from lakeproof.lake.capture.gap import await_all_captured
from lakeproof.lake.capture.restoring import restore
from lakeproof.lake.job.bridging import let_main_move
from lakeproof.lake.job.passing_over import all_is_brought, all_is_written, begin_passing_over
from lakeproof.lake.job.submission import ensure_submitted, no_job, redeploy
from lakeproof.lake.sources.source import Source
from lakeproof.lake.topic_settings import admin_client, make
from lakeproof.lake.topics import find_topic
from lakeproof.stack.stack import Stack

STOP_SECONDS = 30.0
# A record that has no meaning: the job passes over it, and other readers ignore a transaction's BEGIN.
MARKER = json.dumps({"status": "BEGIN", "id": "bridge"}).encode()

log = logging.getLogger(__name__)


def bridge(stack: Stack, name: str) -> Difference:
    """Bridge the gap in that connector's topic; gives what the lake lacked. After a call that was cut off, call
    again.

    Raises: as bridge.at_rest (also for a connector of PostgreSQL's: reading_anew.py), bridge.compared,
    submission.redeploy and restoring.restore; TerminalError for a MariaDB whose transactions the job
    can never tell whole; DeadlineExpired where the job or the publisher does not get to the topic's end;
    CouldNotLook; NotReady.
    """
    with at_rest(stack, name) as resting:
        source = resting.source
        _require_places(stack, resting)
        require_comparable(stack, resting)
        let_main_move(stack, source)
        begin_passing_over(stack, source)
        # An emptied topic has a record then, too. The job's offset after that record shows that it is at the end.
        last = write(resting, [MARKER])
        log.info("having %s pass over what %s holds", source.job, source.topic)
        redeploy(stack, source)
        commit = await_all_captured(stack, resting, beyond=last)
        restore(stack, resting.connector)
        # Read again, since the configuration decides where the connector's offsets lie.
        resting = replace(resting, known=known_offset(stack, name))
        missing = compared(stack, resting, commit, came=())
        found, place = missing.found, missing.place
        log.info("writing what the lake lacks (%s) and the place %s", found.counts(), place.gtid)
        # No job that passes over may run while the difference is written, nor come before the mark says WRITTEN.
        with no_job(stack, source, STOP_SECONDS):
            require_at_rest(stack, resting)
            last = write(resting, list(records(found, place.gtid, place.now_us)), place)
            all_is_written(stack, source)
        ensure_submitted(stack, source)
        await_all_captured(stack, resting, beyond=last)
        all_is_compared(stack, source, resting.topic_id)
        all_is_brought(stack, source)
    return found


def make_anew(stack: Stack, source: Source) -> None:
    """Make the topic of that source, which is gone, so that nothing is read in it before the bridge.

    The job would go on in the new topic at its offset in the old one: in the midst of a transaction, or past records
    that nobody has read. So the job is ended, and the mark says that the lake lacks what the job passes over.
    Raises: as submission.no_job and bridge.alone; NotReady.
    """
    with alone(stack, source), no_job(stack, source, STOP_SECONDS):
        begin_passing_over(stack, source)
        make(admin_client(stack), find_topic(source.topic))


def _require_places(stack: Stack, resting: Resting) -> None:
    """Raises: TerminalError where all rows of a transaction have one place in the log: the job drops all but one."""
    with resting.source.module.at_one_instant(stack, resting.source.name, 10.0) as ask:
        told = {str(name): str(value) for name, value in ask("SHOW VARIABLES LIKE 'binlog_legacy_event_pos'")}
    if told.get("binlog_legacy_event_pos", "ON") != "ON":
        raise TerminalError(
            "rows of one transaction share a place in its binlog, so that the job takes them for repeats",
            where=resting.source.server,
            next_action=f"lakeproof mitigate INCIDENT --action restore_log --arg database={resting.source.name}, and"
            " binlog_legacy_event_pos=ON in its configuration (docs/external.md)",
        )
