"""Each use case's own SQL, as `lakeproof usecase run` sends it, on every engine that reads the lake."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from tests.drills_real.health import assert_whole_shop_clean
from tests.drills_real.test_up_all import up_all

from lakeproof.stack.stack import Stack
from lakeproof.use_cases.use_case import IDS

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(1800)]

type Run = Callable[..., Any]

# Trino first: at the hash that it answers at the others are asked.
ENGINES = ("trino", "spark", "flink")
COLUMNS = {
    "customer-support-360": (
        *("case_id", "customer_id", "subject", "updated_at", "messages", "order_id", "order_status"),
        *("paid", "parcel", "shipped_at", "notifications_not_sent"),
    ),
    "finance-reconciliation": (
        *("ordered_on", "status", "orders", "ordered", "captured", "refunded", "without_payment", "not_agreeing"),
    ),
    "fraud-detection": ("card", "payments", "customers", "declined", "orders_undone", "amount"),
    "inventory-360": ("sku", "sold", "came_back", "to_send"),
    "marketing-personalization": ("customer_id", "orders", "skus", "spent", "newest_order"),
}
TIME = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?)(?: ?(?:UTC|Z|\+00:00))?")


def plain(value: Any) -> Any:
    """A time as such: one engine writes a T or UTC in it, or leaves out zeros at its end. All else as it came."""
    told = TIME.fullmatch(value) if isinstance(value, str) else None
    return datetime.fromisoformat(told[1]) if told else value


def answer(lakeproof: Run, name: str, engine: str, *at: str) -> dict[str, Any]:
    done = lakeproof("usecase", "run", name, "--engine", engine, *at, "--json", seconds=330)
    assert done.code == 0, f"{name} by {engine}: {done.err[-3000:]}"
    found: dict[str, Any] = json.loads(done.out)
    assert found["engine"] == engine
    return found


def test_each_use_case_is_answered_by_every_engine_and_alike_by_trino_and_spark(
    whole_stack: Stack, lakeproof: Run
) -> None:
    assert set(COLUMNS) == set(IDS)
    up_all(whole_stack, lakeproof)
    sold = lakeproof("traffic", "--rate", "4", "--purchases", "2", "--seconds", "30", "--json", seconds=240)
    assert sold.code == 0, sold.err[-3000:]
    assert json.loads(sold.out)["bought"] > 0
    assert_whole_shop_clean(lakeproof)  # all that was bought is published
    counts = {}
    for name in IDS:
        by_trino = answer(lakeproof, name, "trino")
        at = ("--at", by_trino["nessie_hash"])
        answers = {engine: answer(lakeproof, name, engine, *at) for engine in ENGINES[1:]} | {"trino": by_trino}
        for engine, found in answers.items():
            assert found["nessie_hash"] == by_trino["nessie_hash"]
            assert tuple(column["name"] for column in found["columns"]) == COLUMNS[name], f"{name} by {engine}"
            assert {len(row) for row in found["rows"]} <= {len(COLUMNS[name])}, f"{name} by {engine}"
        rows = {engine: [list(map(plain, row)) for row in found["rows"]] for engine, found in answers.items()}
        assert rows["trino"] == rows["spark"], name
        counts[name] = {engine: len(found) for engine, found in rows.items()}
    print(f"\nrows by use case and engine: {counts}")
    assert lakeproof("down", seconds=180).code == 0  # three engines more than the drills' stack has
    assert [name for name, of in counts.items() if len(set(of.values())) != 1] == []
    # Whether anybody complained is the seed's; the others answer about every purchase.
    assert [name for name, of in counts.items() if not of["trino"] and name != "customer-support-360"] == []
