"""The removal of a purged binlog bridges the gap also where no task tells of the gap yet. No engine."""

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture import gap
from lakeproof.probes import binlog_place
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connector_failure import faults


class Capture:
    """MariaDB with two files of its binlog left, and the connector. place: of its offsets. failure: of its task."""

    def __init__(self) -> None:
        self.logs = ["binlog.000007", "binlog.000008"]
        self.place: str | None = "binlog.000007:4"
        self.failure = "none"
        self.did: list[str] = []

    def ask(self, stack: Stack, statement: str, *_: object) -> list[tuple[str, int]]:
        assert statement == "SHOW BINARY LOGS"
        return [(log, 1000) for log in self.logs]


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Capture:
    made = Capture()
    monkeypatch.setattr(binlog_place, "ask", made.ask)
    monkeypatch.setattr(faults, "task_failure", lambda *_: made.failure)
    monkeypatch.setattr(binlog_place, "capture_position", lambda *_: made.place)
    monkeypatch.setattr(gap, "bridge", lambda _, name: made.did.append(f"bridge {name}"))
    monkeypatch.setattr(faults, "send", lambda _, method, path, absent_is_fine: made.did.append(f"{method} {path}"))
    return made


@pytest.mark.parametrize(("place", "failure"), [("binlog.000006:1234", "none"), ("binlog.000007:4", faults.LOST)])
def test_a_gap_is_bridged_whether_or_not_a_task_tells_of_it_yet(
    stack: Stack, capture: Capture, place: str, failure: str
) -> None:
    """As after a kill of the drill between the purge and the failure: the connector stands still, or just begins."""
    capture.place, capture.failure = place, failure
    faults.PurgedBinlog().remove(stack)
    assert capture.did == ["bridge orders"]


@pytest.mark.parametrize("place", ["binlog.000007:4", "binlog.000008:99", None])
def test_a_connector_that_finds_its_place_or_has_none_is_resumed(
    stack: Stack, capture: Capture, place: str | None
) -> None:
    """Nothing was purged yet, or somebody has bridged the gap."""
    capture.place = place
    faults.PurgedBinlog().remove(stack)
    assert capture.did == ["PUT /connectors/orders/resume"]


def test_without_the_database_nobody_says_that_it_is_out(
    stack: Stack, capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> list[tuple[str, int]]:
        raise CouldNotLook("refuses connections", where="mysql")

    monkeypatch.setattr(binlog_place, "ask", away)
    with pytest.raises(CouldNotLook):
        faults.PurgedBinlog().remove(stack)
    assert capture.did == []
