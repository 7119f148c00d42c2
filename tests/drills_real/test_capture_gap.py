"""A binlog that was purged before it was read: what the lake lacks comes into it at once, deleted rows go, and no
published hash shows a part of that.
"""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.drills_real.health import assert_clean, assert_no_hash_is_torn, await_health, first_hash

from lakeproof.arguments import OfConnector
from lakeproof.lake.capture import gap
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connector_failure import faults

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")
CONNECTOR = OfConnector()
KILLS = (1.0, 2.5, 5.0, 7.5, 10.0)


def test_what_the_capture_missed_comes_in_at_once_and_deleted_rows_go(whole_stack: Stack, lakeproof: Run) -> None:
    SupervisorClient(whole_stack).up()
    sent = [str(PROGRAM), "traffic", "--rate", "20", "--seconds", "3600", "--json"]
    with subprocess.Popen(sent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as shoppers:
        try:
            following = EveryHash(whole_stack, first_hash(whole_stack))
            time.sleep(20)
            send(whole_stack, "PUT", "/connectors/orders/stop")
            await_state(whole_stack, "orders", "STOPPED")
            time.sleep(10)
            faults.purge(whole_stack, faults.PurgedBinlog())

            # Killed anywhere, the repair can be done again: what it writes is one transaction of Kafka's.
            for seconds in KILLS:
                cut_off(seconds)
            found = gap.bridge(whole_stack, "orders")
            print("the lake lacked", found.counts(), Counter(event.op for event in found.events))
            assert {event.op for event in found.events} == {"c", "u", "d"}
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


def cut_off(seconds: float) -> None:
    """Begin the repair in a process of its own, and kill it with -9 after so long."""
    script = (
        "from lakeproof.lake.capture import gap; from lakeproof.stack.stack import load_stack;"
        "gap.bridge(load_stack(), 'orders')"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as repairing:
        time.sleep(seconds)
        repairing.kill()
