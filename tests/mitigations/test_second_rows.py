"""Rows that came twice go with the repair that has seen them, or by a step of their own."""

from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import gap, reading_anew, rewriting, topic_gap
from lakeproof.lake.capture.difference import Difference
from lakeproof.lake.capture.rewriting import TakenOut
from lakeproof.lake.sources.source import Source
from lakeproof.mitigations import capture_gaps
from lakeproof.probes import connect, flink, kafka
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(flink, "topic_gap", lambda *_: "passed over, and not brought yet")
    return Stack(Settings(state_dir=tmp_path))


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The databases of which second rows were taken out."""
    done: list[str] = []

    def remove(stack: Stack, source: Source) -> dict[str, int]:
        done.append(source.name)
        return {f"{source.name}.order_events": 7}

    monkeypatch.setattr(rewriting, "remove_second_rows", remove)
    return done


@pytest.mark.parametrize("twice", [{}, {"oltp.order_events": 7}])
def test_a_bridge_takes_out_those_that_it_has_seen(
    twice: dict[str, int], stack: Stack, removed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (gap, topic_gap):
        monkeypatch.setattr(module, "bridge", lambda *_: Difference(twice=twice))
    for step in (capture_gaps.BridgeCaptureGap(), capture_gaps.BridgeTopicGap()):
        told = step.run(stack)
        assert told.endswith("; second rows taken out: 7 of oltp.order_events") is bool(twice)
    assert removed == ["oltp", "oltp"] * bool(twice)


def test_of_postgresql_all_rows_are_read_anew(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    given = capture_gaps.BridgeTopicGap(connector="shop")
    monkeypatch.setattr(topic_gap, "bridge", lambda *_: pytest.fail("compared"))
    monkeypatch.setattr(
        reading_anew, "read_anew", lambda *_: TakenOut({"shop.payment_events": 7}, {"shop.cases": 2}, 1)
    )
    assert given.run(stack) == (
        "all rows of shop were read anew; second rows taken out: 7 of shop.payment_events;"
        " deleted meanwhile: 2 of shop.cases"
    )
    typed = given.typed(stack)
    assert "pg_drop_replication_slot('lake')" in typed and "lake-shop" in typed
    assert "pg_drop" not in capture_gaps.BridgeTopicGap().typed(stack)


@pytest.mark.parametrize("seen", [None, flink.NO_EXCEPTION])
def test_where_nothing_tells_of_a_gap_postgresqls_rows_are_not_read_anew(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, seen: str | None
) -> None:
    """None: its job is not there."""
    monkeypatch.setattr(flink, "topic_gap", lambda *_: seen)
    monkeypatch.setattr(connect, "changed", lambda *_: [])
    monkeypatch.setattr(kafka, "changed_settings", lambda *_: [])
    monkeypatch.setattr(reading_anew, "read_anew", lambda *_: pytest.fail("read anew"))
    with pytest.raises(InvalidInput) as refused:
        capture_gaps.BridgeTopicGap(connector="shop").run(stack)
    assert "bridge_capture_gap" not in refused.value.message


def test_by_itself_it_says_how_many(stack: Stack, removed: list[str]) -> None:
    given = capture_gaps.RemoveSecondRows(database="shop")
    assert given.run(stack) == "second rows taken out: 7 of shop.order_events"
    typed = given.typed(stack)
    assert "INSERT OVERWRITE store.shop.TABLE SELECT DISTINCT * FROM store.shop.TABLE" in typed
    assert "lakeproof-write-shop" in typed and "lake-shop" in typed
