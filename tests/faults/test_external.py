"""Somebody else's stack: what needs its processes is refused in words, and leaves nothing on record."""

from pathlib import Path

import pytest
from tests.doubles.plugins import OURS

from lakeproof.errors import InvalidInput
from lakeproof.faults import records
from lakeproof.faults.fault import all_faults
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import all_wrong_steps


@pytest.fixture
def external(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.chdir(tmp_path)
    return Stack(Settings(mode="external", state_dir=tmp_path, endpoints={"connect": {"http": "127.0.0.1:9"}}))


@pytest.mark.parametrize("name", ["faltering_process", "hung_process", "killed_process", "stopped_process"])
def test_a_fault_of_processes_is_refused_and_not_on_record(external: Stack, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"will not (stop|kill) connect: .*somebody else's.* Next: "):
        records.inject(external, all_faults(OURS)[name], {"component": "connect"}, by="hand")
    assert records.recorded(external) == ()


@pytest.mark.parametrize(
    "name",
    [
        "continue_process",
        "start_component",
        "restart_component",
        "restart_everything",
        "stop_ticker",
        "longer_cache",
    ],
)
def test_a_step_that_touches_processes_is_refused(external: Stack, name: str) -> None:
    mitigation = (all_mitigations(OURS) | all_wrong_steps(OURS))[name]
    given = {"component": "connect"} if "component" in mitigation.model_fields else {}
    with pytest.raises(InvalidInput, match="somebody else's"):
        mitigation.model_validate(given).run(external)
