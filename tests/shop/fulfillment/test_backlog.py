"""How late what waits is: a buyer's own wish is no delay, a hold that somebody put on the parcel is."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest

from lakeproof_shop.services.fulfillment.backlog import Backlog, Hold, Waiting, waiting_in_store
from lakeproof_shop.services.fulfillment.label import CHAOS
from lakeproof_shop.services.fulfillment.label_store import LabelStore, ListedLabel
from lakeproof_shop.services.fulfillment.leases import Leases
from lakeproof_shop.services.fulfillment.metrics import LAG_KEPT_SECONDS, FulfillmentMetrics
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection

ASKED = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = 60.0
DAY = 86_400.0


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else ASKED + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("now", "hold", "wish", "held", "late"),
    [
        (MINUTE, 7 * DAY, 7 * DAY, None, 0.0),
        (7 * DAY + MINUTE, 7 * DAY, 7 * DAY, None, MINUTE),
        (MINUTE, 30 * MINUTE, None, MINUTE, 30 * MINUTE),
        (MINUTE, 7 * DAY + 30 * MINUTE, 7 * DAY, MINUTE, 30 * MINUTE),
        (3 * DAY, None, 7 * DAY, 3 * DAY - MINUTE, MINUTE),
        (8 * DAY, None, 7 * DAY, 8 * DAY, DAY),
        (MINUTE, 7 * DAY, None, None, 0.0),
    ],
    ids=[
        "while a buyer's wish lasts",
        "a buyer's wish is over",
        "held by somebody",
        "held beyond a buyer's wish",
        "let go before a buyer's wish was over",
        "let go after a buyer's wish was over",
        "asked for with an order before wishes were written down",
    ],
)
def test_a_delay_begins_where_the_buyers_own_wish_ends(
    now: float, hold: float | None, wish: float | None, held: float | None, late: float
) -> None:
    assert Hold(ASKED, at(hold), at(wish), at(held)).late_seconds(ASKED + timedelta(seconds=now)) == late


def test_a_rehearsals_label_is_as_late_as_its_hold() -> None:
    label = ListedLabel(f"{CHAOS}1", 10, "e", ASKED)
    found = waiting_in_store([label], frozenset(), {label.key: at(30 * MINUTE)}, ASKED)
    assert (found.objects, found.bytes, found.late_seconds) == (1, 10, 30 * MINUTE)


class FakeConnection:
    """One parcel that nobody held, one that its buyer has kept for a week."""

    async def fetch(self, statement: str, *args: object) -> list[dict[str, Any]]:
        if "wished_until" in statement:
            return [{"requested_at": ASKED, "hold_until": at(7 * DAY), "wished_until": at(7 * DAY), "held_at": None}]
        return [{"objects": 2, "bytes": 20, "oldest": ASKED, "now": at(MINUTE)}]

    async def execute(self, statements: str) -> None:
        return None

    def close(self) -> None:
        return None


async def test_one_buyers_wish_of_a_week_does_not_make_the_shop_a_week_late() -> None:
    async def connect() -> Connection:
        return cast("Connection", FakeConnection())

    metrics, pool = FulfillmentMetrics(), ConnectionPool(connect, 1)
    backlog = Backlog(pool, object.__new__(LabelStore), object.__new__(Leases), metrics)
    await backlog._read_database()
    backlog._show()
    shown = {name: metrics.registry.get_sample_value(name) for name in ("fulfillment_lag_minutes",)}
    assert shown == {"fulfillment_lag_minutes": 1.0}
    await pool.close(1.0)


def test_a_lag_that_the_database_has_not_told_for_a_minute_is_told_no_longer() -> None:
    """Its last figure would pass for a shop that is in time; without one, FulfillmentLagUnknown fires."""
    metrics = FulfillmentMetrics()
    lag = partial(metrics.registry.get_sample_value, "fulfillment_lag_minutes")
    backlog = Backlog(
        cast("ConnectionPool[Connection]", None), object.__new__(LabelStore), object.__new__(Leases), metrics
    )
    backlog._show()
    assert lag() is None, "the store's side alone was read"
    backlog._known, backlog._known_at = Waiting(1, 10, 3 * MINUTE), time.monotonic() - LAG_KEPT_SECONDS + 30
    backlog._show()
    assert lag() == 3.0
    backlog._known_at -= 30
    backlog._show()  # after a reading of the store's side, which goes on
    assert lag() is None
    assert metrics.registry.get_sample_value("fulfillment_artifacts_backlog_objects") == 1
