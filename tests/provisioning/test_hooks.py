"""The steps that components list are there, and none is there that no component lists. No engine."""

import pkgutil

import pytest

from lakeproof import provisioning
from lakeproof.provisioning import step_of
from lakeproof.provisioning.__main__ import run
from lakeproof.stack.component import Hook
from lakeproof.stack.components import all_components

LISTED = {(name, hook) for name, component in all_components().items() for hook in component.hooks}


@pytest.mark.parametrize(("component", "hook"), sorted(LISTED))
def test_a_listed_hook_has_its_step(component: str, hook: Hook) -> None:
    assert callable(step_of(component, hook))


def test_no_module_and_no_step_is_there_that_no_component_lists() -> None:
    modules = [entry.name for entry in pkgutil.iter_modules(provisioning.__path__) if entry.name != "__main__"]
    assert {name.replace("-", "_") for name, _ in LISTED} == set(modules)
    found = {
        (name.replace("_", "-"), hook)
        for name in modules
        for hook in Hook
        if hasattr(__import__(f"lakeproof.provisioning.{name}", fromlist=["_"]), hook.value)
    }
    assert found == LISTED


def test_a_hook_that_is_not_there_is_told_and_not_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nessie", "before_stop"], step_of) == 1
    assert "lakeproof: before_stop of nessie failed: AttributeError" in capsys.readouterr().err
