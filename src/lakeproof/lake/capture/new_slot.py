"""A new replication slot for a PostgreSQL connector whose slot is lost or gone. A person asks for it; no start does.

The log no longer holds what changed in between. The connector reads all rows anew: tables with a primary key become
right, except for rows deleted in between, and append-only tables hold their rows twice (docs/capture.md).
"""

from collections.abc import Callable

from confluent_kafka import KafkaException, Producer

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, NotReady
from lakeproof.lake.capture import publication, slot
from lakeproof.lake.capture.bridge import alone
from lakeproof.lake.capture.columns import look, require_none_missing
from lakeproof.lake.capture.commands import await_state, send, states_in
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.gap import require_not_behind
from lakeproof.lake.capture.offsets import PARTITIONER, offset_key, offset_topics
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.sources.source import find_source, present
from lakeproof.lake.topic_settings import require_known, require_right
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack

FREE_SECONDS = 30.0
BEGIN_SECONDS = 90.0


def require_lost(stack: Stack, name: str, *, kept_too: bool = False) -> Connector:
    """The connector, where it needs a new slot, or where an earlier command was cut off before it had made one.

    kept_too: also where the slot keeps its place, since something other than the slot has lost the changes.
    Raises: InvalidInput for a connector that has no slot, a slot that keeps its place or was not made yet, a
    connector that is not there or rests with shop-capture, and where the database lacks a declared column, whose
    values the lake would lose; CouldNotLook, NotReady, DeadlineExpired where PostgreSQL or Connect do not answer.
    """
    connector = find_connector(name)
    if slot.NAME not in connector.config:
        raise InvalidInput(
            "it follows a binlog and has no slot",
            where=name,
            next_action="lakeproof diagnose says what it needs",
        )
    source = find_source(connector.database)
    if stack.settings.mode != "external" and source not in present(stack):
        raise InvalidInput(
            f"{source.capture} does not run, and its connector rests until it does",
            where=name,
            next_action=f"lakeproof up {source.capture}, then lakeproof diagnose",
        )
    seen = slot.look(stack, connector)
    status = send(stack, "GET", f"/connectors/{name}/status", absent_is_fine=True)
    if status is None:
        raise InvalidInput(
            "Kafka Connect has no such connector",
            where=name,
            next_action=f"lakeproof capture register {name}, then this",
        )
    states = states_in(status)
    halted = not states.isdisjoint(("FAILED", "STOPPED"))
    if seen is None and not halted and not send(stack, "GET", f"/connectors/{name}/offsets")["offsets"]:
        raise InvalidInput(
            f"slot {slot.slot_name(connector)} was not made yet: the connector is {', '.join(sorted(states))} and "
            "has read nothing that could be lost",
            where=name,
            next_action="wait for it, then lakeproof diagnose",
        )
    # Started by somebody between two of our steps, the connector may have made a slot and failed by its old offsets.
    cut_off = halted and provisioned.is_made(stack, "connect", _begun(name), "yes")
    if seen is not None and seen.status != slot.LOST and not cut_off and not kept_too:
        raise InvalidInput(
            f"slot {seen.name} keeps its place ({seen.status}): a new one would read every row again for nothing",
            where=name,
            next_action="lakeproof diagnose",
        )
    keyed = [file.source for file in load_sql_files(source.name) if file.has_key]
    require_none_missing(look(stack, source), keyed)
    return connector


def _begun(name: str) -> str:
    return f"new slot of {name} begun"


def steps(connector: Connector) -> tuple[str, ...]:
    """The four steps of make_new_slot, as a person would type them."""
    there = f"/connectors/{connector.name}"
    return (
        f"PUT {there}/stop",
        f"SELECT pg_drop_replication_slot('{slot.slot_name(connector)}'), where it is there",
        f"a record without value under each key of {there}/offsets, in {', '.join(offset_topics(connector))}",
        f"PUT {there}/resume",
    )


def replace_slot(stack: Stack, name: str, tell: Callable[[str], None]) -> slot.Slot:
    """make_new_slot as a person's command: refused beside another repair of that database's tables, and where a
    repair was cut off, since the job would pass over all rows that the connector reads then.

    Raises: as make_new_slot, bridge.alone, gap.require_not_behind, topic_settings.require_known and require_right.
    """
    source = find_source(find_connector(name).database)
    with alone(stack, source):
        require_not_behind(stack, source)
        require_known(stack, source)
        require_right(stack, source)
        return make_new_slot(stack, name, tell)


def make_new_slot(stack: Stack, name: str, tell: Callable[[str], None], *, kept_too: bool = False) -> slot.Slot:
    """Stop the connector, drop its slot, delete its offsets, resume it; gives the new slot once it is there. The
    connector reads all rows before it follows the slot.

    kept_too: as require_lost. After a call that was cut off, call it again.
    Raises: as `require_lost`, TerminalError where Connect refuses.
    """
    connector = require_lost(stack, name, kept_too=kept_too)
    stop, drop, forget, resume = steps(connector)
    there = f"/connectors/{name}"
    provisioned.remember(stack, "connect", _begun(name), "yes")
    tell(stop)
    send(stack, "PUT", f"{there}/stop")
    await_state(stack, name, "STOPPED")
    tell(drop)
    _drop(stack, connector)
    tell(forget)
    _forget_offsets(stack, connector)
    tell(resume)
    send(stack, "PUT", f"{there}/resume")
    await_state(stack, name, "RUNNING", seconds=BEGIN_SECONDS)

    def made() -> slot.Slot | None:
        seen = slot.look(stack, connector)
        return seen if seen is not None and seen.status != slot.LOST else None

    new = Deadline(BEGIN_SECONDS).wait_for(f"a new slot {slot.slot_name(connector)}", made)
    provisioned.remember(stack, "connect", _begun(name), "no")
    return new


def _forget_offsets(stack: Stack, connector: Connector) -> None:
    """Delete the offsets as `DELETE /connectors/NAME/offsets` should (offsets.py), until Connect knows none."""
    there = f"/connectors/{connector.name}/offsets"
    known = send(stack, "GET", there)["offsets"]
    keys = [offset_key(connector, one["partition"]) for one in known]
    producer = Producer({"bootstrap.servers": stack.address("kafka", "tcp"), "acks": "all", **PARTITIONER})
    try:
        for topic in offset_topics(connector):
            for key in keys:
                producer.produce(topic, key=key, value=None)
        unsent = producer.flush(FREE_SECONDS)
    except KafkaException as error:
        raise NotReady(error.args[0].str(), where="kafka") from error
    if unsent:
        raise NotReady(f"{unsent} records were not taken", where="kafka", next_action="the same again")

    def forgotten() -> bool | None:
        return None if send(stack, "GET", there)["offsets"] else True

    Deadline(FREE_SECONDS).wait_for(f"Connect to know no offsets of {connector.name}", forgotten)


def _drop(stack: Stack, connector: Connector) -> None:
    name = slot.slot_name(connector)

    def free() -> bool | None:
        seen = slot.look(stack, connector)
        return True if seen is None or not seen.active else None

    Deadline(FREE_SECONDS).wait_for(f"slot {name} to be free", free)
    dropping = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1"
    publication.ask(stack, connector, dropping, name)
