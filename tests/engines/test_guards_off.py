"""A check that can fail: with a guard switched off, what that guard prevents is seen in the lake and reported."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.drills_real.health import first_hash

from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.states import Health
from lakeproof.proof.checking import check
from lakeproof.proof.findings import Wrong
from lakeproof.proof.report import CheckReport
from lakeproof.proof.tables.by_changes import Changes
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.stack import Stack, load_stack
from lakeproof_shop.customers.shoppers import start
from lakeproof_shop.customers.shoppers.traffic import of_stack, serve_in_new_loop

pytestmark = [pytest.mark.proof, pytest.mark.engines, pytest.mark.timeout(600)]

PATH = ("publisher", "trino", "flink-taskmanager", "connect", "lag-exporter", "order-service")
ORDERS_PER_SECOND = 60.0

type Without = Callable[..., tuple[Stack, SupervisorClient]]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Without]:
    """`without(NAME, ...)` starts the path on a fresh state with those settings off."""
    made: list[SupervisorClient] = []
    state_dir = Path(f"/tmp/lakeproof-guards-{os.getpid()}")

    def begin(*names: str) -> tuple[Stack, SupervisorClient]:
        if "LAKEPROOF_PORT_SHIFT" not in os.environ:
            monkeypatch.setenv("LAKEPROOF_PORT_SHIFT", "3000")
        monkeypatch.setenv("LAKEPROOF_NAME", "guards")
        monkeypatch.setenv("LAKEPROOF_STATE_DIR", str(state_dir))
        for name in names:
            monkeypatch.setenv(f"LAKEPROOF_{name}", "false")
        state_dir.mkdir(mode=0o755)
        stack = load_stack()
        client = SupervisorClient(stack)
        made.append(client)
        client.up(PATH)
        return stack, client

    yield begin
    for client in made:
        client.down()
    if not os.environ.get("LAKEPROOF_KEEP_TEST_STATE"):
        shutil.rmtree(state_dir, ignore_errors=True)


def test_with_operator_and_cut_off_parts_of_transactions_are_reported(without: Without) -> None:
    """Every torn hash, too; and whoever reads what changed from hash to hash finds what who reads all of it does."""
    stack, _ = without("LAKE__ALIGN_TRANSACTIONS", "LAKE__CUT")
    first = first_hash(stack)
    whole, changes = EveryHash(stack, first), EveryHash(stack, first, changes=Changes(stack, least_rows=0))
    shoppers = start(stack, rate=ORDERS_PER_SECOND, seed=1, run="parts")

    def parts() -> CheckReport | None:
        report = check(stack, cover_now=False, engines=("trino",))
        return report if any(claim.violations for claim in report.across) else None

    try:
        report = Deadline(150).wait_for("a part of a transaction to be seen", parts, every=0.1)
    finally:
        shoppers.stop()
    broken = {claim.claim: (claim.violations, claim.keys[:3]) for claim in report.across if claim.violations}
    print("parts of transactions:", broken)
    assert report.outcome is Outcome.FAILED
    assert all(keys for _, keys in broken.values())
    for following in (whole, changes):
        following.look(Deadline(200))
        assert (following.waiting, following.not_looked) == (0, 0)
    hashes = [commit.hash for commit in history.since(stack, first)]
    both = hashes[: hashes.index(whole.after) + 1]  # what is published meanwhile was judged by the second one alone
    torn, by_changes = (
        {one.commit.hash: {*one.broken} for one in following.torn if one.commit.hash in both}
        for following in (whole, changes)
    )
    print(f"{len(torn)} of {len(both)} hashes torn, {sum(map(len, torn.values()))} orders broken in them")
    assert torn
    assert by_changes == torn
    assert changes.changes is not None and changes.changes.judged > len(both) / 2


def test_with_exactly_once_off_a_killed_connect_doubles_events(without: Without) -> None:
    stack, client = without("CAPTURE__EXACTLY_ONCE")
    shoppers = start(stack, rate=ORDERS_PER_SECOND, seed=2, run="repeats")
    try:
        serve_in_new_loop(of_stack(stack, rate=5.0, seed=3, run="before"), 8.0)
        before = client.row("connect")
        client.kill("connect")

        def back() -> bool | None:
            now = client.row("connect")
            return True if now.restarts > before.restarts and now.health is Health.HEALTHY else None

        Deadline(120).wait_for("connect to be back", back, seen=lambda: str(client.row("connect")))
    finally:
        shoppers.stop()
    report = check(stack, engines=("trino",), cover_seconds=120)
    doubled = {each.table: each.count(Wrong.DUPLICATED) for each in report.tables if each.engine == "trino"}
    print("second rows:", doubled)
    assert report.outcome is Outcome.FAILED
    assert doubled["order_events"] > 0
    # Tables with a primary key take the second row over the first.
    assert doubled["orders"] == 0
