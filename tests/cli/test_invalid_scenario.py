"""A scenario folder that `drill` refuses is refused by every command that draws on scenarios."""

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Typed

from lakeproof.errors import InvalidInput
from lakeproof.observability.scenario_homes import SCENARIOS


@pytest.mark.parametrize(
    "arguments",
    [
        ("drill", "replication-lag"),
        ("up", "--for", "replication-lag"),
        ("runbook", "list"),
        ("runbook", "show", "replication-lag"),
        ("runbook", "write", "--to", "pages"),
    ],
)
def test_an_alert_that_no_rule_defines_is_refused(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    copy = tmp_path / "more" / "second-lag"
    shutil.copytree(SCENARIOS / "connector_failure", copy)
    text = (copy / "scenario.yaml").read_text().replace("KafkaConnectTaskFailed", "NoSuchAlert")
    (copy / "scenario.yaml").write_text(text.replace("id: connector-failure", "id: second-lag"))
    monkeypatch.setenv("LAKEPROOF_SCENARIO_DIRS", json.dumps([str(tmp_path / "more")]))
    with pytest.raises(InvalidInput, match="second-lag"):
        typed(*arguments)
    assert not (tmp_path / "state" / "log").exists()
