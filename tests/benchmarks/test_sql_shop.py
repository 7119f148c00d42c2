"""Shoppers by SQL in a process of their own, and when their orders were made."""

from dataclasses import replace
from pathlib import Path

from benchmarks.sql_shop import created_at, sql_shoppers
from lakeproof.deadline import Deadline
from lakeproof.ledger.calls import Event
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.ledger import Line
from lakeproof_shop.customers.shoppers.report import Counts, TrafficReport
from lakeproof_shop.services.order.models import Op, Order


def report_of(ledger: Path) -> TrafficReport:
    return TrafficReport("r", 1, 1.0, 1.0, Counts(), 1.0, {}, {}, {}, {}, {}, [], str(ledger))


def test_shoppers_of_a_database_that_is_away_report_refusals_and_no_order(tmp_path: Path, stack: Stack) -> None:
    shoppers = sql_shoppers(stack, 50.0, "away")
    try:
        sent = Deadline(90).wait_for("the first refusal", lambda: shoppers.counts().refused or None, every=0.05)
    finally:
        report = shoppers.stop()
    assert report.counts.refused >= sent > 0 and report.counts.acknowledged == 0
    assert Path(report.ledger).parent == tmp_path / "ledger" and report.run.endswith("-away")
    assert created_at(report) == {}


def test_an_order_was_made_when_its_creation_was_acknowledged(tmp_path: Path) -> None:
    order = Order(7, "k1", 42, "created", "12.30", 0, 1, "2026-11-24T14:43:53.042722Z", None, ())
    asked = Line(1_000_000, "r", "k1", Op.CREATE, 1, Event.INVOKE, 0, replace(order, id=None))
    lines = [
        asked,
        replace(asked, at_us=2_500_000, event=Event.OK, version=1, order=order),
        replace(asked, at_us=3_000_000, op=Op.PAY, event=Event.OK, version=2, order=order),
        replace(asked, at_us=4_000_000, key="k2"),
    ]
    ledger = tmp_path / "r.jsonl"
    ledger.write_bytes(b"".join(line.to_bytes() for line in lines))
    assert created_at(report_of(ledger)) == {7: 2.5}
