"""What the stores hold and what support shows of it are put into the same words. No engine."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims import reading_service
from lakeproof_shop.proof.claims.facts import TimelineFact
from lakeproof_shop.services.payment.store import payment_of
from lakeproof_shop.services.support.timeline import fulfillment_entries, order_entries, payment_entries

AT = datetime(2026, 11, 24, 14, 43, 53, 42722)
TEXT = "2026-11-24T14:43:53.042722Z"
ORDER = {"total": "1.00", "item_count": 1, "created_at": TEXT, "updated_at": TEXT, "id": 7, "version": 3}
PARCEL = {"id": 9, "tracking": "t", "hold_until": None, "events": [{"version": 1, "type": "returned", "at": TEXT}]}
ROWS: dict[str, list[Any]] = {
    "payment": [(7, 8, "refunded", 3, AT.replace(tzinfo=UTC), AT.replace(tzinfo=UTC))],
    "fulfillment": [(7, 9, "returned", AT.replace(tzinfo=UTC))],
}


def payment() -> dict[str, Any]:
    zoned = AT.replace(tzinfo=UTC)
    row: dict[str, Any] = dict.fromkeys(("id", "order_id", "customer_id", "version"), 8)
    row |= dict.fromkeys(("authorized", "captured", "refunded", "amount"), 1.0)
    row |= {"status": "refunded", "decline_code": None, "created_at": zoned, "updated_at": zoned}
    made = payment_of(row)  # type: ignore[arg-type]
    return {name: getattr(made, name) for name in made.__slots__}


def timeline(monkeypatch: pytest.MonkeyPatch, **sources: str) -> TimelineFact:
    def rows_of(stack: Stack, database: str, statement: str, *args: object) -> list[Any]:
        return ROWS[database]

    monkeypatch.setattr(reading_service, "rows_of", rows_of)
    monkeypatch.setattr(reading_service, "mysql_rows", lambda stack, statement, args: [(7, "returned", 3, AT, AT)])
    held = reading_service._held(object.__new__(Stack), [7])[7]
    shown = [
        *order_entries(ORDER | {"status": "returned"}),
        *payment_entries({"payments": [payment()]}),
        *fulfillment_entries({"fulfillments": [PARCEL]}),
    ]
    states = {name: sources.get(name, "ok") for name in ("order", "payment", "fulfillment")}
    told = {
        "entries": [
            {"at": one.at, "source": one.source, "type": one.type, "ref": one.ref}
            for one in shown
            if states[one.source] == "ok"
        ],
        "sources": {name: {"state": state, "why": ""} for name, state in states.items()},
    }
    answer = httpx.MockTransport(lambda request: httpx.Response(200, json={"timeline": told}))
    with httpx.Client(transport=answer, base_url="http://support") as support:
        return reading_service._timeline(support, 31, 7, held)


def test_a_whole_timeline_is_what_the_stores_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    found = timeline(monkeypatch)
    assert found.shown == found.held
    assert {entry[2] for entry in found.held} >= {"order.returned", "payment.refunded", "fulfillment.returned"}


def test_a_source_that_is_missing_cannot_be_judged_and_one_that_is_off_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(CouldNotLook, match="case 31's timeline lacks order and payment"):
        timeline(monkeypatch, payment="missing", order="missing")
    off = timeline(monkeypatch, payment="off")
    assert off.shown == off.held and "payment" not in {entry[1] for entry in off.held}
