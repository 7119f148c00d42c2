"""Steps that only look like repairs: found by a drill's --fix, and by nothing that repairs a live stack."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answering
from tests.doubles.plugins import OURS
from typer.testing import CliRunner

from lakeproof.arguments import parse_arguments
from lakeproof.cli.commands import build
from lakeproof.drills.order import steps_of
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes import alerts
from lakeproof.wrong_fixes.wrong_step import WrongStep, all_wrong_steps

CATALOG = load_catalog()
# Of the truth of every scenario: (scenario, wrong fix).
WRONG_FIXES = [
    (scenario.id, fix.id) for scenario in CATALOG.scenarios.values() for fix in CATALOG.truth(scenario).wrong_fixes
]
NEEDED: dict[str, dict[str, object]] = {
    "silence_alert": {"alert": "CdcReplicationLagHigh"},
    "remove_node": {"component": "cassandra-node2"},
}


@pytest.mark.parametrize("name", sorted({*CATALOG.wrong_steps, *(fix for _, fix in WRONG_FIXES)}))
def test_mitigate_refuses_a_wrong_fix_and_says_what_can_be_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LAKEPROOF_PORT_SHIFT", "12100")
    with pytest.raises(InvalidInput, match=f"no mitigation '{name}'.*Next: one of .*resume_connector") as refused:
        CliRunner().invoke(build(), ["mitigate", "INC-000001", "--action", name, "--yes"], catch_exceptions=False)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(("scenario", "fix"), WRONG_FIXES)
def test_a_drill_finds_every_wrong_fix_of_its_scenario(scenario: str, fix: str) -> None:
    steps = steps_of(CATALOG, CATALOG.scenario(scenario), fix)
    assert all(step.id in CATALOG.steps for step in steps)


def test_a_drill_finds_a_wrong_step_by_its_own_name_too() -> None:
    (step,) = steps_of(CATALOG, CATALOG.scenario("connector-failure"), "stop-ticker")
    assert step.id == "stop_ticker"


def test_a_wrong_fix_is_made_of_steps_that_mend_nothing_or_something_else() -> None:
    repairs = {step.id for cause in CATALOG.causes for step in cause.repairs}
    assert not repairs & CATALOG.wrong_steps.keys()
    for scenario in CATALOG.scenarios.values():
        for fix in CATALOG.truth(scenario).wrong_fixes:
            assert {step.id for step in fix.steps} <= CATALOG.wrong_steps.keys() | repairs


def test_a_step_is_a_mitigation_or_a_wrong_one() -> None:
    assert not all_mitigations(OURS).keys() & all_wrong_steps(OURS).keys()


@pytest.mark.parametrize("step", all_wrong_steps(OURS).values(), ids=lambda step: step.id)
def test_every_wrong_step_says_what_to_type_and_no_secret(
    step: type[WrongStep], tmp_path: Path, stack: Stack
) -> None:
    typed = parse_arguments(step, NEEDED.get(step.id, {}), step.id).typed(stack)
    assert typed
    secrets = json.loads((tmp_path / "secrets.json").read_text()) if (tmp_path / "secrets.json").exists() else {}
    assert not any(secret in typed for secret in secrets.values())


class Alertmanager:
    """Keeps silences as Alertmanager's v2 API does."""

    def __init__(self) -> None:
        self.silences: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if method == "GET":
            return 200, list(self.silences.values())
        if method == "DELETE":
            self.silences[path.rpartition("/")[2]]["status"]["state"] = "expired"
            return 200, {}
        name = f"id{len(self.silences)}"
        self.silences[name] = json.loads(body) | {"id": name, "status": {"state": "active"}}
        return 200, {"silenceID": name}


def test_a_silence_is_taken_back_and_others_are_left_alone(tmp_path: Path, answering: Answering) -> None:
    alertmanager = Alertmanager()
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"alertmanager": {"http": answering(alertmanager.answer)}}))
    given = alerts.SilenceAlert(alert="TooLate")
    given.run(stack)
    alerts.SilenceAlert(alert="Other").run(stack)
    alertmanager.silences["id0b"] = alertmanager.silences["id0"] | {
        "id": "id0b",
        "createdBy": "somebody",
        "status": {"state": "active"},
    }
    given.undo(stack)
    states = {name: silence["status"]["state"] for name, silence in alertmanager.silences.items()}
    assert states == {"id0": "expired", "id1": "active", "id0b": "active"}


def test_without_alertmanager_a_silence_is_an_error(tmp_path: Path) -> None:
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"alertmanager": {"http": "127.0.0.1:1"}}))
    with pytest.raises(TerminalError, match="is Alertmanager up"):
        alerts.SilenceAlert(alert="TooLate").run(stack)
