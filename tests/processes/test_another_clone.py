"""A stack that another clone of the project has started: not joined in silence, but looked at and ended."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes.conftest import MakeClient
from typer.testing import CliRunner

import lakeproof
from lakeproof.cli.commands import build
from lakeproof.errors import InvalidInput
from lakeproof.mitigations import processes
from lakeproof.processes import ours
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.environment import settings_environment
from lakeproof.processes.states import Health
from lakeproof.stack.engines import cassandra
from lakeproof.stack.stack import Stack


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The two packages once more, in a folder of their own; gives that of `lakeproof`."""
    source = Path(lakeproof.__file__).parents[1]
    for package in ("lakeproof", "lakeproof_shop"):
        shutil.copytree(source / package, tmp_path / "clone" / package, ignore=shutil.ignore_patterns("*.pyc"))
    return tmp_path / "clone" / "lakeproof"


def from_clone(clone: Path, client: SupervisorClient) -> SupervisorClient:
    """The same stack, with the clone's code for its daemon."""
    argv = ("env", f"PYTHONPATH={clone.parent}", *client._daemon_argv)
    return SupervisorClient(client.stack, client.components, argv)


def command(client: SupervisorClient, *words: str) -> subprocess.CompletedProcess[str]:
    """`lakeproof WORDS` of this clone, over the same stack."""
    return subprocess.run(
        (sys.executable, "-c", "from lakeproof.cli.app import main; main()", *words),
        env=os.environ | settings_environment(client.stack),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_stack_of_another_clone_is_not_joined(fresh: SupervisorClient, clone: Path) -> None:
    from_clone(clone, fresh).up(["base"])
    for start in (lambda: fresh.up(["middle"]), lambda: fresh.start("middle"), lambda: fresh.scale("many", 2)):
        with pytest.raises(InvalidInput, match=f"the code of {clone} ") as raised:
            start()
    assert f"this is {Path(lakeproof.__file__).parent} " in raised.value.message
    assert "lakeproof down" in raised.value.next_action
    assert "LAKEPROOF_NAME=second LAKEPROOF_PORT_SHIFT=" in raised.value.next_action
    assert [row.name for row in fresh.ps()] == ["base"]


def test_a_stack_of_another_clone_can_be_looked_at_and_ended(fresh: SupervisorClient, clone: Path) -> None:
    from_clone(clone, fresh).up(["base"])
    assert "base" in command(fresh, "ps").stdout
    assert "small server starts" in (fresh.stack.log_path("base")).read_text()
    assert fresh.stop("base")
    ended = command(fresh, "down")
    assert (ended.returncode, fresh.running()) == (0, False)
    assert fresh.up(["base"]) == ["base"]


def test_a_restart_that_would_be_refused_stops_nothing(
    fresh: SupervisorClient, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_clone(clone, fresh).up(["base"])
    for module in (ours, processes):
        monkeypatch.setattr(module, "our_processes", lambda *_: fresh)
    typed = CliRunner().invoke(build(), ["restart", "base"])
    assert isinstance(typed.exception, InvalidInput) and f"the code of {clone} " in typed.exception.message
    with pytest.raises(InvalidInput, match=f"the code of {clone} "):
        processes.RestartComponent(component="base").run(fresh.stack)
    assert fresh.row("base").health == Health.HEALTHY


def test_two_stacks_of_two_clones_run_side_by_side(make_client: MakeClient, clone: Path) -> None:
    first, second = make_client("first"), make_client("second")
    from_clone(clone, first).up(["base"])
    assert second.up(["base"]) == ["base"]


def test_a_demo_over_a_stack_of_another_clone_is_refused_before_it_begins(
    fresh: SupervisorClient, clone: Path
) -> None:
    from_clone(clone, fresh).up(["base"])
    ended = command(fresh, "demo")
    assert ended.returncode == 2
    assert f"the code of {clone} " in ended.stderr
    assert not fresh.stack.reports_dir.exists()
    assert [row.name for row in fresh.ps()] == ["base"]


@pytest.mark.parametrize(
    "words", [("ring", "scale", "3"), ("ring", "replace", "cassandra-node4")], ids=lambda words: words[1]
)
def test_no_node_of_a_stack_of_another_clone_is_taken_out(
    fresh: SupervisorClient, clone: Path, words: tuple[str, ...]
) -> None:
    from_clone(clone, fresh).up(["base"])
    data = cassandra.storage_dir(fresh.stack, "cassandra-node4") / "data"
    data.mkdir(parents=True)
    refused = command(fresh, *words)
    assert refused.returncode == 2
    assert f"the code of {clone} " in refused.stderr
    assert data.exists()


def test_the_same_clone_with_another_version_is_not_joined(
    fresh: SupervisorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.up(["base"])
    monkeypatch.setattr(lakeproof, "__version__", "9.9.9")
    with pytest.raises(InvalidInput, match=r"this is .* \(version 9\.9\.9\)"):
        fresh.up(["base"])


def test_a_setting_that_a_shell_hands_to_one_component_makes_no_other_stack(fresh: SupervisorClient) -> None:
    """`LAKEPROOF_SUPPORT__TIMELINE_CACHE_TTL_SECONDS=600 lakeproof start support-service`, as a person types it."""
    fresh.up(["base"])
    settings = fresh.stack.settings
    support = settings.support.model_copy(update={"timeline_cache_ttl_seconds": 600.0})
    handed = Stack(settings.model_copy(update={"support": support}))
    SupervisorClient(handed, fresh.components, fresh._daemon_argv).start("base")
    slower = settings.support.model_copy(update={"source_seconds": settings.support.source_seconds + 1})
    changed = Stack(settings.model_copy(update={"support": slower}))
    with pytest.raises(InvalidInput, match=r"other settings .LAKEPROOF_SUPPORT."):
        SupervisorClient(changed, fresh.components, fresh._daemon_argv).start("base")
