"""Buyers do all of it on the real services, every claim about the shop holds, and each goes red by hand."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.shop.claims import reading_acts
from lakeproof.shop.claims.judging import CLAIMS
from lakeproof.shop.claims.looking import look
from lakeproof.shop.shoppers import purchases, traffic
from lakeproof.shop.shoppers.report import TrafficReport
from lakeproof.shop.shoppers.traffic import of_stack, serve_in_new_loop
from lakeproof.stack.engines import mysql, postgres_session
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(900)]

SERVICES = (
    *("order-service", "payment-service", "inventory-service", "fulfillment-service", "notification-service"),
    *("support-service", "connect"),
)
# Few purchases, of which many are more than a purchase: a busy machine has to get through them.
SECONDS, PURCHASES, SETTLE_SECONDS = 50.0, 0.7, 240.0
SHARES = {"CANCEL": 0.3, "RETURN": 0.3, "COMPLAIN": 0.5, "OPT_OUT": 0.5}


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(*SERVICES)


@pytest.fixture(scope="module")
def report(stack: Stack, supervisor: SupervisorClient) -> TrafficReport:
    with pytest.MonkeyPatch.context() as patched:
        for name, share in SHARES.items():
            patched.setattr(purchases, name, share)
        patched.setattr(traffic, "SETTLE_LIMIT_SECONDS", SETTLE_SECONDS)
        return serve_in_new_loop(of_stack(stack, 1.0, 7, purchase_rate=PURCHASES), SECONDS)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_acts, "ACT_SECONDS", 5.0)


def test_shoppers_do_all_of_it_and_every_claim_holds(stack: Stack, report: TrafficReport) -> None:
    counts = report.counts
    did = [
        *(counts.bought, counts.cancelled, counts.returned, counts.complaints, counts.attachments),
        *(counts.opt_outs, counts.opt_ins, counts.browsed),
    ]
    assert all(did), counts
    assert (counts.open_calls, counts.mismatched) == (0, 0), (counts, report.refusals)
    found = look(stack)
    assert (found.unknown, found.oversold, {name: one for name, one in found.broken.items() if one}) == ((), 0, {})
    assert set(found.broken) == set(CLAIMS)


def changed(stack: Stack, schema: str, statement: str) -> None:
    """One change by hand, in a service's schema of PostgreSQL or, as oltp, in MariaDB."""
    if schema == "oltp":
        with mysql.connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
            assert cursor.execute(statement) > 0
            connection.commit()
        return

    async def change() -> None:
        root = postgres_session.connection(stack, "postgres", "postgres-root", 10.0, "shop", schema)
        async with root as connection:
            assert int((await connection.execute(statement)).split()[-1]) > 0

    asyncio.run(change())


_NEWEST_CASE = "(SELECT order_id FROM cases WHERE order_id IS NOT NULL ORDER BY id DESC LIMIT 1)"
BY_HAND = {
    "acted on": (
        "notification",
        "UPDATE consumed_events SET dropped = 'by hand' WHERE source = 'events.payment' AND dropped IS NULL",
        "UPDATE consumed_events SET dropped = NULL WHERE dropped = 'by hand'",
    ),
    "has one case": (
        "support",
        "UPDATE case_messages SET body = body || '!' WHERE body LIKE '%:complaint:%'",
        "UPDATE case_messages SET body = rtrim(body, '!') WHERE body LIKE '%:complaint:%'",
    ),
    "opted out": (
        "notification",
        """UPDATE preferences SET opted_out = opted_out || '["test/email"]'::jsonb""",
        """UPDATE preferences SET opted_out = opted_out - 'test/email'""",
    ),
    "captured money": (
        "oltp",
        "UPDATE oltp.orders SET status = 'paid' WHERE status = 'returned'",
        "UPDATE oltp.orders o JOIN oltp.checkouts c ON c.order_id = o.id SET o.status = 'returned'"
        " WHERE c.step = 'returned'",
    ),
    "is sent, once": (
        "fulfillment",
        "UPDATE fulfillments SET status = 'shipped' WHERE status = 'returned'",
        "UPDATE fulfillments f SET status = 'returned' WHERE EXISTS (SELECT 1 FROM fulfillment_events e"
        " WHERE e.fulfillment_id = f.id AND e.type = 'returned')",
    ),
    "on the shelf again": (
        "oltp",
        "UPDATE oltp.checkouts SET step = 'returned' WHERE step = 'done' LIMIT 1",
        "UPDATE oltp.checkouts c JOIN oltp.orders o ON o.id = c.order_id SET c.step = 'done'"
        " WHERE c.step = 'returned' AND o.status = 'paid'",
    ),
}


@pytest.fixture(params=BY_HAND)
def broken_by_hand(request: pytest.FixtureRequest, stack: Stack, report: TrafficReport) -> Iterator[str]:
    schema, breaking, mending = BY_HAND[request.param]
    changed(stack, schema, breaking)
    yield request.param
    changed(stack, schema, mending)


def test_a_claim_goes_red_by_hand(stack: Stack, broken_by_hand: str) -> None:
    found = look(stack, settle_seconds=2.0)
    assert found.unknown == ()
    red = [name for name, broken in found.broken.items() if broken]
    assert any(broken_by_hand in name for name in red), red


def test_a_timeline_that_its_cache_keeps_although_it_is_old_goes_red(stack: Stack, report: TrafficReport) -> None:
    look(stack)  # now they are kept
    later = "UPDATE payments SET updated_at = updated_at + interval '1 second'"
    changed(stack, "payment", later)
    found = look(stack, settle_seconds=2.0)
    assert [name for name, broken in found.broken.items() if broken and "timelines" in name]


def test_afterwards_every_claim_holds_again(stack: Stack, report: TrafficReport) -> None:
    found = look(stack)
    assert {name: one for name, one in found.broken.items() if one and "timelines" not in name} == {}
