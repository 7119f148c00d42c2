"""Bridges a gap before the topic: changes that the database's log dropped before the connector had read them.

A new snapshot would bring every row once more: an append-only table would hold it twice, and deletes would be
missing. Here the difference goes into the topic instead, as one transaction of its own, in the connector's place:

1. The connector is stopped, and all that it had captured is on `main`.
2. The database is read at one instant, whose place in the log it tells, and compared with the lake at that hash.
3. What differs is written into the topic as one transaction. The same Kafka transaction sets the connector's offsets
   to that place. Cut off before its commit, a call has changed nothing; after it, the lake gets the rows anyway.
4. Once `main` shows the difference, the connector goes on from that place.

Where the connector was stopped within a transaction, the job holds the rows that came and waits for the transaction's
END. What differs is then written as the rest of that transaction.
"""

import logging
from collections.abc import Callable

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, NotReady
from lakeproof.lake.capture import missed
from lakeproof.lake.capture.backlog import end_offset, has_more, kept_offset, last_values
from lakeproof.lake.capture.bridge import (
    KAFKA_SECONDS,
    Resting,
    at_rest,
    compared,
    require_at_rest,
    require_comparable,
    write,
)
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.difference import Difference, in_words, records
from lakeproof.lake.capture.restoring import require_unchanged
from lakeproof.lake.job.bridging import let_main_move
from lakeproof.lake.job.flink_rest import FlinkRefused, FlinkRest, rest_of
from lakeproof.lake.job.passing_over import is_behind
from lakeproof.lake.job.submission import find_job
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.lake.topic_settings import require_known
from lakeproof.stack.stack import Stack

READ_SECONDS = 120.0
PUBLISH_SECONDS = 120.0
CHECKPOINT_SECONDS = 60.0
# So long may Nessie or Kafka keep silent before a wait ends: longer than one that died takes to come back.
SILENT_SECONDS = 30.0
WHERE_MAIN_STAYS = (
    "where somebody set it to backup: lakeproof lake rollback;"
    " where the publisher runs on another machine: this repair there"
)

log = logging.getLogger(__name__)


def bridge(stack: Stack, name: str) -> Difference:
    """Bridge the gap of that connector; gives what the lake lacked. After a call that was cut off, call it again.

    Raises: as bridge.at_rest and bridge.compared; InvalidInput where topic_gap.bridge was cut off, which is to be
    finished first, where the connector was changed (restoring.require_unchanged) or its topic made anew;
    DeadlineExpired where the job or the publisher does not get to the topic's end; CouldNotLook; NotReady, also where
    the difference was written and `main` does not show it.
    """
    source = find_source(find_connector(name).database)
    # Before the connector is touched.
    require_not_behind(stack, source)
    require_unchanged(stack, find_connector(name))
    require_known(stack, source)
    with at_rest(stack, name) as resting:
        require_not_behind(stack, source)
        return _write_difference(stack, resting)


def require_not_behind(stack: Stack, source: Source) -> None:
    """Raises: InvalidInput where the lake lacks what the job passed over, since topic_gap.bridge was cut off."""
    if is_behind(stack, source):
        raise InvalidInput(
            f"{source.job} passed over records that nobody has brought yet",
            where=source.connector,
            next_action=f"lakeproof mitigate INCIDENT --action bridge_topic_gap --arg connector={source.connector}",
        )


def _write_difference(stack: Stack, resting: Resting) -> Difference:
    require_comparable(stack, resting)
    let_main_move(stack, resting.source)
    commit = await_all_captured(stack, resting)
    open_one = resting.known["offset"].get("transaction_id")
    came = last_values(stack, resting.connector.name, open_one) if open_one is not None else []
    missing = compared(stack, resting, commit, came)
    found, place = missing.found, missing.place
    log.info("writing what the lake lacks (%s) and the place %s", found.counts(), place.gtid)
    _require_untouched(stack, resting)
    # The id of the open transaction, whose rest this is; without one, of the last transaction before the place.
    rows = list(records(found, str(open_one or place.gtid), place.now_us)) if found.events or open_one else []
    last = write(resting, rows, place)
    if rows:
        _await_shown(stack, resting, last, found)
    missed.is_brought(stack, resting.source)
    return found


def _await_shown(stack: Stack, resting: Resting, last: int, found: Difference) -> None:
    try:
        await_all_captured(stack, resting, beyond=last)
    except (DeadlineExpired, CouldNotLook) as late:
        kind = CouldNotLook if isinstance(late, CouldNotLook) else NotReady
        raise kind(
            f"{in_words(found)}; all of that lies in its topic now, and is not seen on main yet: {late.what}",
            where=resting.connector.name,
            next_action="lakeproof diagnose; then the same again, which brings what differs by then",
        ) from late


def await_all_captured(stack: Stack, resting: Resting, beyond: int = -1) -> PublishedCommit:
    """The first published state that holds all of the topic, into which nothing comes meanwhile.

    beyond: wait until the job has read at least this offset.
    Raises: DeadlineExpired; CouldNotLook once Kafka or Nessie was silent for SILENT_SECONDS.
    """
    flink, source, name = rest_of(stack), resting.source, resting.connector.name

    @_patient
    def read() -> bool | None:
        kept, job = kept_offset(stack, KAFKA_SECONDS, source), find_job(flink, source)
        if kept is None or job is None or has_more(stack, name, kept):
            return None
        if not beyond < kept <= end_offset(stack, name):  # `kept` may be of the old topic, where it was made anew
            return None
        return True

    Deadline(READ_SECONDS).wait_for(
        f"{source.job} to keep all of {source.topic}",
        read,
        every=0.5,
        seen=_patient(lambda: f"it is at {kept_offset(stack, KAFKA_SECONDS, source)} of {end_offset(stack, name)}"),
    )
    return await_published(stack, source)


def await_published(stack: Stack, source: Source) -> PublishedCommit:
    """The first published state that holds all that the source's job has read by now.

    Raises: as await_all_captured.
    """
    newest = _patient(lambda: history.newest(stack))
    before = Deadline(PUBLISH_SECONDS).wait_for("Nessie to tell what main shows", newest).states.get(source.name)
    checkpoint = _new_checkpoint(rest_of(stack), source)

    def shown() -> PublishedCommit | None:
        commit = newest()
        state = commit.states.get(source.name)
        if state is None or state.checkpoint < checkpoint:
            return None
        # A job that was started without its state counts from 1 again: what main showed before has a higher number.
        return commit if before is None or state.at != before.at else None

    return Deadline(PUBLISH_SECONDS).wait_for(
        f"main to show checkpoint {checkpoint} of {source.name}",
        shown,
        every=0.5,
        seen=lambda: f"main shows {newest().states.get(source.name)}; {WHERE_MAIN_STAYS}",
    )


def _patient[T](look: Callable[[], T]) -> Callable[[], T]:
    """The same look for a wait, which goes on after a look that had no answer, until none had one for too long."""
    silence: Deadline | None = None

    def patient() -> T:
        nonlocal silence
        try:
            found = look()
        except CouldNotLook as silent:
            silence = silence or Deadline(SILENT_SECONDS)
            kind = CouldNotLook if silence.expired else NotReady
            then = silent.next_action or "lakeproof ps, then the same again"
            raise kind(silent.what, where=silent.where, next_action=then) from silent
        silence = None
        return found

    return patient


def _new_checkpoint(flink: FlinkRest, source: Source) -> int:
    """The number of a checkpoint that begins now: the JobManager's list of complete ones may be seconds old.

    A job refuses a checkpoint while one of its tasks has not started, and is asked again.
    """
    asked: tuple[str, str] | None = None

    def complete() -> int | None:
        nonlocal asked
        try:
            if asked is None:
                job = find_job(flink, source)
                asked = None if job is None else (job.id, flink.checkpoint(job.id))
            return None if asked is None else flink.checkpoint_number(*asked)
        except FlinkRefused:
            asked = None
            return None

    return Deadline(CHECKPOINT_SECONDS).wait_for(f"a checkpoint of {source.job}", complete, every=0.3)


def _require_untouched(stack: Stack, resting: Resting) -> None:
    """Raises: NotReady where somebody has resumed the connector, or something came into the topic."""
    name = resting.connector.name
    kept = kept_offset(stack, KAFKA_SECONDS, resting.source)
    require_at_rest(stack, resting)
    if kept is None or has_more(stack, name, kept):
        raise NotReady("something came into its topic meanwhile", where=name, next_action="the same again, alone")
