from pathlib import Path

import pytest

from lakeproof.install import artifacts
from lakeproof.stack.engines import jvm
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_the_agent_listens_on_the_component_s_own_port_and_reads_its_own_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "path", lambda name: Path("/store") / name)
    stack = Stack(Settings.model_validate({"state_dir": tmp_path, "port_shift": 100}))
    jvm.write_agent_rules(stack, "connect-2", "connect")
    rules = stack.etc_dir("connect-2") / "jmx.yml"
    address = f"{stack.settings.host}:{stack.port('connect-2', 'jmx')}"
    flag = f"-javaagent:/store/jmx-agent/jmx_prometheus_javaagent.jar={address}:{rules}"
    assert rules.is_file() and jvm.agent_flag(stack, "connect-2") == flag
