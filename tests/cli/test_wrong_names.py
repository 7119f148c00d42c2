"""A wrong name is wrong usage (exit 2) with the closest known one, whether or not anything runs."""

from pathlib import Path

import pytest
from tests.cli.conftest import Typed

from lakeproof.errors import InvalidInput


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("start", "kafak"), "no component 'kafak', closest: 'kafka'"),
        (("stop", "kafak"), "no component 'kafak', closest: 'kafka'"),
        (("kill", "kafak"), "no component 'kafak', closest: 'kafka'"),
        (("kill", "kafka", "--signal", "STOPP"), "no signal 'STOPP', closest: 'STOP'"),
        (("up", "kafak"), "no component 'kafak', closest: 'kafka'"),
        (("up", "--for", "replication-lagg"), "no scenario 'replication-lagg', closest: 'replication-lag'"),
        (("logs", "kafak"), "no component 'kafak', closest: 'kafka'"),
        (("logs", "--query", "{}", "-n", "20"), "--lines: goes with NAME. Next: --limit"),
        (("logs", "kafka", "--limit", "20"), "--limit: goes with --query. Next: -n"),
        (("fault", "inject", "pause-connector"), "no fault 'pause-connector', closest: 'paused_connector'"),
        (("fault", "remove", "pause-connector"), "no fault 'pause-connector', closest: 'paused_connector'"),
        (("mitigate", "foo"), "no incident is called 'foo'"),
        (("mitigate", "INC-000001", "--action", "resume"), "no mitigation 'resume', closest: 'resume_connector'"),
        (("mitigate", "INC-000001", "--arg", "a=b"), "it goes with --action"),
        (("mitigate", "1", "--action", "resume-connector", "--arg", "conector=x"), "argument conector"),
        (("incident", "show", "foo"), "no incident is called 'foo'"),
        (("incident", "ack", "foo"), "no incident is called 'foo'"),
        (("runbook", "show", "replication-lagg"), "no page 'replication-lagg', closest: 'replication-lag'"),
        (("bench", "rat"), "no benchmark 'rat', closest: 'rate'"),
    ],
)
def test_a_wrong_name_is_wrong_usage_although_nothing_runs(
    typed: Typed, own_stack: Path, arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        typed(*arguments)
    assert words in refused.value.message
    assert "Next: " in refused.value.message
    assert not own_stack.exists()


@pytest.mark.parametrize(
    "arguments", [("start", "mysql"), ("stop", "mysql"), ("kill", "mysql"), ("kill", "mysql", "--signal", "TERM")]
)
def test_processes_of_somebody_else_are_refused_as_such(
    typed: Typed, own_stack: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LAKEPROOF_MODE", "external")
    with pytest.raises(InvalidInput, match=r"mode external.*will not .*mysql: .*somebody else's\. Next: ") as refused:
        typed(*arguments)
    assert refused.value.exit_code == 2
    assert not own_stack.exists()
