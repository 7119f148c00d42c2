"""Reads all rows of PostgreSQL anew, while `main` shows nothing of them: after a lost slot, or a gap in the topic.

PostgreSQL does not tell from which place in its log a slot could go on after a snapshot. So what differs cannot be
written as one transaction, as it is for MariaDB (topic_gap.py). All rows come again instead, one table after the
other. Readers see nothing of that: the publisher leaves the database as `main` shows it until all is whole.

1. After a gap in the topic only: the connector is stopped, and the job goes on from its newest state and passes over
   all records to the end of the topic. The connector gets its registered configuration back.
2. `main` is held (job/passing_over.py), the connector gets a new slot and reads all rows, and the job takes them.
3. Once the lake holds a later transaction, what the append-only tables hold twice is taken out, and so are rows that
   the database has no more.
4. Once the job has passed the time of that look, `main` moves again: one commit shows all of it.

If a call is cut off anywhere, `main` stays as it is, `diagnose` names the unfinished repair, and the next call goes
on from step 2 or 3, or begins anew where step 1 was not done.
"""

import logging
from collections.abc import Callable

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, NotReady
from lakeproof.lake.capture.bridge import Resting, all_is_compared, alone, producer_of, resumed_where_it_fails, write
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.gap import await_all_captured, await_published, require_not_behind
from lakeproof.lake.capture.new_slot import make_new_slot, require_lost
from lakeproof.lake.capture.restoring import restore
from lakeproof.lake.capture.rewriting import TakenOut, beat_of_database, in_counts, take_out_what_is_not_in_the_source
from lakeproof.lake.capture.topic_gap import MARKER, STOP_SECONDS
from lakeproof.lake.job.bridging import let_main_move
from lakeproof.lake.job.passing_over import (
    all_is_brought,
    begin_passing_over,
    has_slot,
    hold_main,
    is_held,
    slot_is_made,
)
from lakeproof.lake.job.submission import ensure_submitted, no_job, redeploy
from lakeproof.lake.publish.beat import HEARTBEAT_TABLE
from lakeproof.lake.query.paimon import paimon
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.lake.topic_settings import require_known, require_right
from lakeproof.stack.stack import Stack

READ_SECONDS = 900.0
STATEMENT_SECONDS = 120.0
# Between two looks into the lake, each of which is a job in Flink.
LOOK_SECONDS = 2.0

log = logging.getLogger(__name__)


def read_anew(stack: Stack, name: str) -> TakenOut:
    """Bridge a gap in the topic of that PostgreSQL connector; gives what was taken out. After a call that was cut
    off, call it again.

    Raises: as topic_settings.require_right, bridge.alone, submission.redeploy, restoring.restore,
    new_slot.make_new_slot and rewriting.take_out_what_is_not_in_the_source; DeadlineExpired where the job does not
    get to the topic's end, or where not all is read in time: `main` stays held then. NotReady where all was done and
    `main` does not show it yet.
    """
    source = find_source(find_connector(name).database)
    # Before anything is touched.
    topic_id = require_right(stack, source)
    require_lost(stack, name, kept_too=True)
    # After a failure the connector goes on, or its slot would fill up. What it brings then is passed over or taken
    # in, and is read anew in any case.
    with alone(stack, source), resumed_where_it_fails(stack, name):
        if not is_held(stack, source):
            _pass_over(stack, source, topic_id)
        return _bring_all(stack, source, topic_id)


def replace_slot(stack: Stack, name: str, tell: Callable[[str], None]) -> TakenOut:
    """Give that connector a new slot for one that is lost or gone, and read all rows anew; gives what was taken out.
    After a call that was cut off, call it again.

    tell: hears what is under way.
    Raises: as read_anew and new_slot.require_lost; InvalidInput where a repair of a gap in the topic was cut off,
    which is to be finished first.
    """
    source = find_source(find_connector(name).database)
    with alone(stack, source):
        topic_id = require_right(stack, source)
        if not is_held(stack, source):
            require_not_behind(stack, source)
            require_known(stack, source)
            require_lost(stack, name)
            hold_main(stack, source)
        return _bring_all(stack, source, topic_id, tell)


def _pass_over(stack: Stack, source: Source, topic_id: str) -> None:
    """Step 1."""
    connector = find_connector(source.connector)
    let_main_move(stack, source)
    begin_passing_over(stack, source)
    log.info("stopping %s", connector.name)
    send(stack, "PUT", f"/connectors/{connector.name}/stop")
    await_state(stack, connector.name, "STOPPED")
    resting = Resting(connector, source, {}, producer_of(stack, connector), topic_id)
    last = write(resting, [MARKER])
    log.info("having %s pass over what %s holds", source.job, source.topic)
    redeploy(stack, source)
    await_all_captured(stack, resting, beyond=last)
    restore(stack, connector)
    with no_job(stack, source, STOP_SECONDS):
        hold_main(stack, source)


def _bring_all(stack: Stack, source: Source, topic_id: str, tell: Callable[[str], None] = log.info) -> TakenOut:
    """Steps 2 to 4, from where the mark says."""
    ensure_submitted(stack, source)
    if not has_slot(stack, source):
        make_new_slot(stack, source.connector, tell, kept_too=True)
        slot_is_made(stack, source)
    tell(f"waiting until the lake holds all rows of {source.name}; main shows none of them meanwhile")
    _await_beat_after(stack, source, beat_of_database(stack, source))
    taken = take_out_what_is_not_in_the_source(stack, source)
    tell(f"taken out: {in_counts(taken.second)} that came twice, {in_counts(taken.gone)} that {source.server} lacks")
    _await_beat_after(stack, source, taken.beat_us)
    all_is_compared(stack, source, topic_id)
    all_is_brought(stack, source)
    let_main_move(stack, source)
    try:
        await_published(stack, source)
    except (DeadlineExpired, CouldNotLook) as late:
        kind = CouldNotLook if isinstance(late, CouldNotLook) else NotReady
        raise kind(
            f"all rows of {source.name} are in the lake, and are not seen on main yet: {late.what}",
            where=source.name,
            next_action="lakeproof diagnose",
        ) from late
    return taken


def _await_beat_after(stack: Stack, source: Source, beat_us: int) -> None:
    """Wait until the lake, published or not, holds a heartbeat that a transaction brought after that one.

    All rows of a database reach the lake at one checkpoint of one job, so the lake then holds all that was committed
    before. The heartbeat's row that is read together with all other rows belongs to no transaction (no gtid).
    """
    sql = f"SELECT beat_us, gtid FROM store.{source.name}.{HEARTBEAT_TABLE}"
    last = ""

    def look() -> bool | None:
        nonlocal last
        with paimon(stack) as session:
            rows = session.run(sql, Deadline(STATEMENT_SECONDS)).rows
        last = f"beat_us and gtid {rows}, not after {beat_us}"
        return True if any(gtid and int(at) > beat_us for at, gtid in rows) else None

    Deadline(READ_SECONDS).wait_for(
        f"the lake to hold a later heartbeat of {source.name}",
        look,
        every=LOOK_SECONDS,
        seen=lambda: last,
        unseen_is_not_yet=True,
    )
