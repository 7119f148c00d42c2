"""A topic that does not hold what the lake's job has to read next: the database brings it, at once, and no published
hash shows a part of that. The repair is killed on the way, and done again.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from tests.drills_real.health import assert_clean, assert_no_hash_is_torn, await_health, diagnosed, first_hash, named

from lakeproof.deadline import Deadline
from lakeproof.lake.capture.offsets import PARTITIONER
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.capture_gaps import BridgeTopicGap
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes import kafka
from lakeproof_shop.scenarios.flink_restarts.faults import FilteredCapture

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")
TEAR = FilteredCapture()
KILLS = (2.0, 5.0, 8.0, 11.0, 14.0, 17.0)


def tear(stack: Stack) -> None:
    """The capture drops one table's rows. The job's state holds rows of a transaction that has no END, as below."""
    begin_a_transaction(stack)
    TEAR.inject(stack)
    Deadline(60).wait_for(
        "the job to stop at a torn transaction",
        lambda: True if TEAR.sign(stack).holds else None,
        seen=lambda: TEAR.sign(stack).seen,
    )


def empty(stack: Stack) -> None:
    """What came while the job was away is deleted, and its state holds rows of a transaction that has no END."""
    begin_a_transaction(stack)
    client = SupervisorClient(stack)
    client.stop("flink-taskmanager")
    time.sleep(5)
    kafka.EmptyTopic().run(stack)
    client.up(["flink-taskmanager"])


def begin_a_transaction(stack: Stack) -> None:
    """Write two rows of a transaction whose END does not come, and wait until a checkpoint holds them.

    They say of an order what the database does not, so that they must not be what the lake shows in the end.
    """
    made = newest_order(stack)
    rows = [
        made
        | {"after": made["after"] | {"status": f"never {number}"}, "transaction": {"id": "9-9-1"}}
        | {"source": made["source"] | {"pos": number}}
        for number in (1, 2)
    ]
    producer = Producer({"bootstrap.servers": stack.address("kafka", "tcp"), **PARTITIONER})
    for row in rows:
        producer.produce(OLTP.topic, value=json.dumps(row).encode(), partition=0)
    producer.flush(10)
    time.sleep(2 * OLTP.longest_pause_seconds(stack))


def newest_order(stack: Stack) -> dict[str, Any]:
    """The event of an order's first row."""
    settings = {"bootstrap.servers": stack.address("kafka", "tcp"), "group.id": "test", "enable.auto.commit": False}
    with closing(Consumer(settings)) as consumer:
        consumer.assign([TopicPartition(OLTP.topic, 0, OFFSET_END)])
        deadline = Deadline(30)
        while not deadline.expired:
            message = consumer.poll(1.0)
            event = json.loads(message.value() or b"{}") if message is not None and message.error() is None else {}
            if event.get("op") == "c" and event["source"]["table"] == "orders":
                return dict(event)
    raise AssertionError("no order came within 30 s")


def cut_off(seconds: float) -> None:
    """Begin the repair in a process of its own, and kill it with -9 after so long."""
    script = (
        "from lakeproof.mitigations.capture_gaps import BridgeTopicGap; from lakeproof.stack.stack import load_stack;"
        "BridgeTopicGap().run(load_stack())"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as repairing:
        time.sleep(seconds)
        repairing.kill()


@pytest.mark.parametrize("make", [tear, empty], ids=["torn", "place gone"])
def test_what_the_topic_lacks_comes_from_the_database_at_once(
    whole_stack: Stack, lakeproof: Run, make: Callable[[Stack], None]
) -> None:
    SupervisorClient(whole_stack).up()
    sent = [str(PROGRAM), "traffic", "--rate", "20", "--seconds", "3600", "--json"]
    with subprocess.Popen(sent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as shoppers:
        try:
            following = EveryHash(whole_stack, first_hash(whole_stack))
            time.sleep(20)
            make(whole_stack)
            said: list[str] = []

            def is_named() -> bool | None:
                said[:] = named(diagnosed(lakeproof))
                return True if "topic_gap" in said else None

            Deadline(90).wait_for("the gap to be named", is_named, every=1.0, seen=lambda: str(said))
            assert said == ["topic_gap"]
            for number, seconds in enumerate(KILLS):
                cut_off(seconds)
                if number == 2:
                    # Whoever submits the job while it is behind must not have it take rows from the middle on.
                    kill_and_await(SupervisorClient(whole_stack), ["flink-jobmanager"], Deadline(120))
                said[:] = named(diagnosed(lakeproof))
                print(f"killed after {seconds} s: {said}")
                assert said == ["topic_gap"]
            print(BridgeTopicGap().run(whole_stack))
            await_health(lakeproof)
            time.sleep(10)
        finally:
            shoppers.send_signal(signal.SIGINT)
            out, _ = shoppers.communicate(timeout=150)
    assert json.loads(out)["acknowledged"] > 500
    report = assert_clean(lakeproof)
    assert_no_hash_is_torn(following)
    assert following.judged > 10
    print(f"{following.judged} hashes judged", json.dumps(report)[:2000])
