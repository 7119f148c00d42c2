"""What `up --all` means where something is only installed for who asks."""

from pathlib import Path

import pytest

from lakeproof.cli.up import is_installed
from lakeproof.install.recipe import load_recipes
from lakeproof.stack.components import all_components


def test_all_leaves_out_only_what_nobody_has_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path))
    assert [name for name, one in all_components().items() if not is_installed(one)] == ["spark"]


def test_a_component_that_may_be_left_out_is_on_demand_and_its_artifact_is_built_on_request() -> None:
    for component in all_components().values():
        if component.artifact is not None:
            assert component.on_demand
            assert load_recipes()[component.artifact].on_request
