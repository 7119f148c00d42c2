"""What a scenario needs."""

from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.processes.targets import components_of_scenario
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def stack_with(folder: Path, text: str) -> Stack:
    (folder / "my-scenario").mkdir()
    (folder / "my-scenario" / "scenario.yaml").write_text(text)
    return Stack(Settings(scenario_dirs=[folder]))


def test_a_scenario_of_another_folder_names_its_components(tmp_path: Path) -> None:
    stack = stack_with(tmp_path, "components: [kafka, connect]\n")
    assert components_of_scenario("my-scenario", stack) == ["kafka", "connect"]


@pytest.mark.parametrize("text", ["title: x\n", "components: kafka\n", "components: [\n", "components: []\n"])
def test_a_scenario_file_without_a_list_of_components_is_refused(tmp_path: Path, text: str) -> None:
    stack = stack_with(tmp_path, text)
    with pytest.raises(InvalidInput, match=r"scenario\.yaml"):
        components_of_scenario("my-scenario", stack)


def test_an_unknown_scenario_lists_the_known_ones(tmp_path: Path) -> None:
    stack = stack_with(tmp_path, "components: [kafka]\n")
    with pytest.raises(InvalidInput, match="my-scenario"):
        components_of_scenario("your-scenario", stack)
