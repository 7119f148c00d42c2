"""Which events a check asks their consumer for. No engine."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims import reading_acts

BEGAN = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_what_was_sent_before_its_consumer_first_read_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
        if service == "notification":
            return [("events.payment", BEGAN)] if "reading_since" in statement else []
        assert "created_at >= $4" in statement
        asked[service] = args[3]
        return []

    monkeypatch.setattr(reading_acts, "rows_of", rows_of)
    assert reading_acts.read_acts(object.__new__(Stack)) == ()
    assert asked == {"payment": BEGAN, "fulfillment": None, "support": None}
