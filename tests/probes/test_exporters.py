"""One sample out of Prometheus' text format, and what an exporter says of its own heartbeats."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.exporters import sample, ticker
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

TEXT = """# HELP lag_millis x
# TYPE lag_millis gauge
lag_millis_other 7
lag_millis{connector="orders"} 1234.5
bare 3
"""


def test_a_sample_is_found_by_its_whole_name() -> None:
    assert sample(TEXT, "lag_millis") == 1234.5
    assert sample(TEXT, "bare") == 3
    assert sample(TEXT, "absent") is None


@pytest.mark.parametrize(("status", "told"), [(200, "ok"), (503, "1205 Lock wait timeout exceeded")])
def test_an_exporter_says_whether_its_heartbeats_are_written_whatever_its_status(
    status: int,
    told: str,
    answering: Callable[[Callable[[str, str, bytes], tuple[int, object]]], str],
    tmp_path: Path,
) -> None:
    address = answering(lambda *_: (status, {"status": "?", "dependencies": {"mysql": told, "kafka": "ok"}}))
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"lag-exporter": {"http": address}}))
    assert ticker(stack, 1.0, OLTP) == told
