"""Bridges a gap in the topic: records that the lake's job has to read next are gone from it, or rows of a transaction
never came into it, so that the job stops at that transaction's END.

Neither a restart nor an older state gets the job on, for the topic stays as it is. But the database has all that the
topic had, so what is left of the topic is thrown away:

1. The connector is stopped, the job is ended, and `main` shows the newest state that the job can go on from.
2. The database is held against the lake at that hash, as in gap.py, but for the rows that the state holds of
   transactions whose END has not come.
3. What differs is written to the topic's end as one transaction, together with the connector's place.
4. All records before that transaction are deleted, and the job goes on from its state with the oldest record.
5. Once `main` shows the difference, the job is told to stop again where its place is gone, and the connector goes on.

Cut off before 3, nothing has happened but that the job was ended. After that the job cannot get on, as before, or
shows a whole difference; the next call compares anew in both cases. No published state shows a part of a transaction.
"""

import logging

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.capture.bridge import KAFKA_SECONDS, Resting, at_rest, compared, known_offset, write
from lakeproof.lake.capture.commands import state_of
from lakeproof.lake.capture.difference import Difference, ends, records
from lakeproof.lake.capture.gap import await_all_captured
from lakeproof.lake.job.flink_rest import rest_of
from lakeproof.lake.job.held_rows import held_rows
from lakeproof.lake.job.lost_place import exact_again, go_on_at_oldest
from lakeproof.lake.job.states import State, complete_states
from lakeproof.lake.job.submission import ensure_submitted, find_job
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import Source
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

SETTLE_SECONDS = 120.0

log = logging.getLogger(__name__)


def bridge(stack: Stack, name: str) -> Difference:
    """Bridge the gap in that connector's topic; gives what the lake lacked. Cut off anywhere, do it again.

    Every record of the topic goes, also for other readers of it. Call it where the job cannot get on: one that can
    would lose nothing by it, but its older records would be gone all the same.
    Raises: as bridge.at_rest and bridge.compared, submission.redeploy; DeadlineExpired where the publisher does not
    get to the job's newest state; CouldNotLook; NotReady.
    """
    with at_rest(stack, name) as resting:
        source = resting.source
        state, commit = _settled(stack, source)
        came = held_rows(s3_client(stack), state)
        missing = compared(stack, resting, commit, came)
        found, place = missing.found, missing.place
        _require_untouched(stack, resting, state)
        # Of each transaction that the state holds a part of, what differs is the rest: it ends with the last of them.
        open_ones = list(dict.fromkeys(str(event["transaction"]["id"]) for event in came))
        *others, last = open_ones or [place.gtid]
        log.info("writing what the lake lacks (%s) and the place %s", found.counts(), place.gtid)
        first = write(resting, [*ends(others, place.now_us), *records(found, last, place.now_us)], place)
        if first is None:
            raise NotReady("it did not tell where the records lie", where="kafka", next_action="the same again")
        log.info("deleting all of %s before offset %d", source.topic, first)
        _delete_before(stack, source, first)
        go_on_at_oldest(stack, source)
        await_all_captured(stack, resting, beyond=first)
        exact_again(stack, source)
    return found


def _settled(stack: Stack, source: Source) -> tuple[State, PublishedCommit]:
    """End the job; gives the newest state that it can go on from, and the published commit that shows it.

    A job that was ended between a checkpoint and the commit of its tables commits them when it is started again.
    Raises: DeadlineExpired.
    """
    flink, s3, deadline = rest_of(stack), s3_client(stack), Deadline(SETTLE_SECONDS)

    def shown() -> tuple[State, PublishedCommit] | None:
        ensure_submitted(stack, source)
        states, commit = complete_states(s3, source), history.newest(stack)
        there = commit.states.get(source.name)
        return (states[0], commit) if states and there and there.checkpoint >= states[0].checkpoint else None

    while True:
        state, commit = deadline.wait_for(f"main to show the newest checkpoint of {source.name}", shown, every=0.5)
        job = find_job(flink, source)
        if job is not None:
            log.info("ending %s at checkpoint %d", source.job, state.checkpoint)
            flink.cancel(job.id)
            find_job(flink, source)  # waits for its end
        if complete_states(s3, source)[0].checkpoint == state.checkpoint:
            return state, commit


def _require_untouched(stack: Stack, resting: Resting, state: State) -> None:
    """Nobody has resumed the connector, and the job has not come further. Raises: NotReady."""
    name = resting.connector.name
    same = state_of(stack, name) == "STOPPED" and known_offset(stack, name) == resting.known
    if not same or complete_states(s3_client(stack), resting.source)[0].checkpoint != state.checkpoint:
        raise NotReady(
            "somebody has started it, or the job, meanwhile, so the comparison no longer holds",
            where=name,
            next_action="the same again, alone",
        )


def _delete_before(stack: Stack, source: Source, offset: int) -> None:
    """Raises: CouldNotLook where Kafka does not do it."""
    client = AdminClient({"bootstrap.servers": stack.address("kafka", "tcp")})
    partition = TopicPartition(source.topic, 0, offset)
    try:
        # A fresh client knows no leader yet, and would wait for its whole timeout.
        client.list_topics(source.topic, timeout=KAFKA_SECONDS)
        client.delete_records([partition], request_timeout=KAFKA_SECONDS)[partition].result(timeout=KAFKA_SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise CouldNotLook(f"could not delete records: {error}", where=source.topic) from error
