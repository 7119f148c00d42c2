"""When a gap in the topic is bridged, and when nothing is touched: by what the job says of it."""

from pathlib import Path

import pytest

from lakeproof.arguments import OfConnector
from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import topic_gap
from lakeproof.lake.capture.difference import Difference, Event
from lakeproof.mitigations.bridge_topic_gap import run
from lakeproof.probes import flink
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

TORN = "transaction 0-1-7: END counts {oltp.order_items=2}, came {}"


@pytest.mark.parametrize(
    ("seen", "is_bridged"), [(TORN, True), (flink.PASSED_OVER, True), (None, True), (flink.NO_EXCEPTION, False)]
)
def test_a_job_that_reads_its_topic_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: str | None, is_bridged: bool
) -> None:
    """None: there is no job, so that nothing says that it would read on."""
    bridged: list[str] = []

    def bridge(stack: Stack, name: str) -> Difference:
        bridged.append(name)
        return Difference([Event("oltp.orders", "c", None, {"id": 1})], {"oltp.order_events": 2})

    stack = Stack(Settings(state_dir=tmp_path))
    monkeypatch.setattr(topic_gap, "bridge", bridge)
    monkeypatch.setattr(flink, "topic_gap", lambda *_: seen)
    if is_bridged:
        assert run(stack, OfConnector()) == (
            "rows that the lake lacked: 1 of oltp.orders; 2 rows of oltp.order_events stay, which takes none back;"
            " lake-oltp and connector orders go on from there"
        )
    else:
        with pytest.raises(InvalidInput, match="did not stop at a gap") as told:
            run(stack, OfConnector())
        assert "bridge_capture_gap" in str(told.value.next_action)
    assert bridged == (["orders"] if is_bridged else [])
