"""What `up --all` means where something is only installed for who asks."""

from pathlib import Path

import pytest

from lakeproof.cli.up import memory_of
from lakeproof.install.installed import everything, is_installed
from lakeproof.install.recipe import load_recipes
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State
from lakeproof.stack.components import all_components


def test_all_leaves_out_only_what_nobody_has_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path))
    assert [name for name, one in all_components().items() if not is_installed(one)] == ["spark"]


def test_everything_is_told_with_what_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path))
    wanted, left_out = everything(all_components().values())
    assert left_out == ["spark"]
    assert {"cassandra-node3", "support-service", "trino"} <= set(wanted)
    assert not {"spark", "trino-2"} & set(wanted)


def test_the_memory_is_the_sum_of_what_runs() -> None:
    def row(name: str, pid: int | None, mib: int) -> ProcessRow:
        return ProcessRow(name, State.RUNNING, Health.HEALTHY, pid, mib * 2**20, 0.0, 0, 1.0, {}, "")

    assert (
        memory_of([row("kafka", 1, 1024), row("trino", 2, 512), row("spark", None, 512)]) == "2 components, 1.50 GiB"
    )


def test_a_component_that_may_be_left_out_is_on_demand_and_its_artifact_is_built_on_request() -> None:
    for component in all_components().values():
        if component.artifact is not None:
            assert component.on_demand
            assert load_recipes()[component.artifact].on_request
