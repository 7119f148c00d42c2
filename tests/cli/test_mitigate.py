from collections.abc import Mapping

import pytest
from tests.doubles.plugins import OURS
from typer.testing import CliRunner

from lakeproof.cli.commands import build
from lakeproof.cli.mitigate import _diagnose, _held
from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.diagnosis import Diagnosis, Finding
from lakeproof.diagnosis.examination import Examination
from lakeproof.errors import CouldNotLook
from lakeproof.mitigations.mitigation import Mitigation, all_mitigations
from lakeproof.mitigations.named import Named, hold
from lakeproof.probes.probe import all_probes
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import Stack


def test_a_proposed_step_holds_to_what_is_there_now_and_a_given_one_to_what_was_said(stack: Stack) -> None:
    class Drop(Mitigation, Named):
        """Drop it."""

        def hold(self, stack: Stack) -> Mapping[str, str]:
            return hold(self, ())

    class Start(Mitigation):
        """Start it."""

    known: dict[str, type[Mitigation]] = {"drop": Drop, "start": Start}
    assert _held(stack, Step("drop"), known) == Step("drop", (("only", ""),))
    assert _held(stack, Step("drop", (("only", "oltp.a.b"),)), known) == Step("drop", (("only", "oltp.a.b"),))
    assert _held(stack, Step("start"), known) == Step("start")


def test_a_cause_of_another_trouble_is_listed_with_its_repair_and_not_proposed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = scenario_folders()
    causes = {cause.id: cause for cause in load_causes(all_probes(OURS), folders)}
    seen = Examination(Diagnosis((Finding(causes["mysql_sessions_leaked"], (), ()),), ()), {}, frozenset())
    monkeypatch.setattr("lakeproof.diagnosis.examination.examine", lambda stack, folders: seen)
    labels = {"component": "postgres", "scenario": "connection-saturation"}
    incident = {"id": "INC-000001", "alerts": [{"labels": labels}], "timeline": []}
    with pytest.raises(CouldNotLook) as refused:
        _diagnose(stack, folders, incident, all_mitigations(OURS))
    assert refused.value.exit_code == 3
    assert "mysql_sessions_leaked (--action end_idle_sessions --arg database=mysql)" in refused.value.message


@pytest.mark.parametrize(("percent", "told"), [(91.5, True), (40.0, False), (None, False)])
def test_a_repair_that_is_proposed_on_full_processors_says_that_they_are(
    monkeypatch: pytest.MonkeyPatch, percent: float | None, told: bool
) -> None:
    causes = {cause.id: cause for cause in load_causes(all_probes(OURS), scenario_folders())}
    seen = Examination(Diagnosis((Finding(causes["mysql_sessions_leaked"], (), ()),), ()), {}, frozenset())
    incident = {"id": "INC-000001", "alerts": [{"labels": {"component": "mysql"}}], "timeline": []}
    monkeypatch.setattr("lakeproof.diagnosis.examination.examine", lambda stack, folders: seen)
    monkeypatch.setattr("lakeproof.incidents.client.DeskClient.incident", lambda desk, name: incident)
    monkeypatch.setattr("lakeproof.processes.pressure.cpu_waiting_percent", lambda: percent)
    monkeypatch.setattr("lakeproof.cli.mitigate._held", lambda stack, step, known: step)  # no database runs here
    done = CliRunner().invoke(build(), ["mitigate", "1", "--dry-run"], catch_exceptions=False)
    assert "mysql_sessions_leaked" in done.stderr
    assert ("processors are full: lately processes waited for one 92 % of the time" in done.stderr) is told
