"""kill -9 of each store and service of the whole shop while shoppers buy at the checkout: `check` finds all of it.

Every hash that is published meanwhile is judged: none may show a part of a transaction. Nobody buys while Trino
judges those of a round: on two slow processors more hashes were published than were judged.
Twenty rounds in an order, and at moments, that a seed gives: LAKEPROOF_TEST_SEED for another one.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.drills_real.health import BACK_SECONDS, assert_no_hash_is_torn, assert_whole_shop_clean

from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")
SERVICES = ("order", "payment", "inventory", "fulfillment", "notification", "support")
VICTIMS = (
    *(f"{name}-service" for name in SERVICES),
    *("postgres", "redis", "mail-sink", "cassandra-node2", "cassandra-node3", "cassandra-seed"),
    *("projector", "shop-capture", "postgres-exporter", "redis-exporter"),
    *("mysql", "kafka", "minio", "flink-taskmanager"),
)
ROUNDS = 20
UNKNOWN = 3  # exit code
SEED = int(os.environ.get("LAKEPROOF_TEST_SEED", "4"))


def rounds() -> list[tuple[str, float]]:
    """Each victim once, and seconds to wait before it is killed."""
    chance = random.Random(SEED)
    return [(name, chance.uniform(0.0, 5.0)) for name in chance.sample(VICTIMS, ROUNDS)]


# What two cores hold beside the checks of each round.
PURCHASES_PER_SECOND, CALLS_PER_SECOND = 1, 5
TOLD = ("sent", "acknowledged", "refused", "unclear", "settled", "bought", "cancelled", "returned")
BUYING_SECONDS = 10.0  # before each kill, so that it falls among calls


class Shop:
    """The whole stack, and what its shoppers and buyers bought in all rounds."""

    def __init__(self, stack: Stack, lakeproof: Run) -> None:
        self.stack, self.lakeproof, self.reports = stack, lakeproof, list[dict[str, Any]]()

    @contextmanager
    def buying(self) -> Iterator[None]:
        """Shoppers and buyers of a run of their own; at the end they settle what is open."""
        rates = ["--rate", str(CALLS_PER_SECOND), "--purchases", str(PURCHASES_PER_SECOND)]
        seed = ["--seed", str(SEED + len(self.reports))]
        sent = [str(PROGRAM), "traffic", *rates, *seed, "--seconds", "7200", "--json"]
        with subprocess.Popen(sent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as buyers:
            try:
                yield
                assert buyers.poll() is None
            finally:  # also of a round that fails: its calls count, and the next round begins with none of them open
                buyers.send_signal(signal.SIGINT)
                try:
                    self.reports.append(json.loads(buyers.communicate(timeout=150)[0]))
                finally:
                    buyers.kill()
        assert self.reports[-1]["mismatches"] == []


@pytest.fixture(scope="module")
def shop(whole_stack: Stack, lakeproof: Run) -> Shop:
    """All that runs in this stack is up, and a `check` was clean before anything is killed."""
    client = SupervisorClient(whole_stack)
    client.up(name for name, one in client.components.items() if not one.on_demand and one.replica_of is None)
    shop = Shop(whole_stack, lakeproof)

    def looked() -> bool | None:
        """None where it could not look: all that has just been started shares two cores."""
        code = lakeproof("check", "--wait-seconds", "120", "--json", seconds=300).code
        assert code in (0, UNKNOWN)
        return True if code == 0 else None

    with shop.buying():
        Deadline(600).wait_for("a clean check of a shop in which nothing was killed", looked)
    return shop


@pytest.fixture(scope="module")
def following(shop: Shop) -> EveryHash:
    """Every hash from the first kill on."""
    return EveryHash(shop.stack, history.newest(shop.stack).hash)


@pytest.mark.parametrize(("name", "wait"), rounds(), ids=[name for name, _ in rounds()])
def test_what_is_killed_comes_back_and_nobody_pays_twice_or_for_nothing(
    shop: Shop, following: EveryHash, name: str, wait: float
) -> None:
    with shop.buying():
        time.sleep(BUYING_SECONDS + wait)
        kill_and_await(SupervisorClient(shop.stack), [name], Deadline(BACK_SECONDS))
        assert_whole_shop_clean(shop.lakeproof)
    assert_no_hash_is_torn(following)


def test_all_that_was_bought_meanwhile_is_there(shop: Shop, following: EveryHash) -> None:
    assert_whole_shop_clean(shop.lakeproof)
    assert_no_hash_is_torn(following)
    assert following.judged > ROUNDS
    assert sum(report["bought"] for report in shop.reports) > 200
    told = {key: sum(report[key] for report in shop.reports) for key in TOLD}
    print(f"whole shop: {following.judged} hashes judged; {told}")
