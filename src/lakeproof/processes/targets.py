"""Which components a scenario needs, for `up --for`."""

from pathlib import Path

import yaml

from lakeproof import scenarios
from lakeproof.errors import InvalidInput
from lakeproof.stack.stack import Stack


def scenario_folders(stack: Stack) -> dict[str, Path]:
    """Scenario id → its folder: the package's own, and those of `scenario_dirs`."""
    roots = [*(Path(path) for path in scenarios.__path__), *stack.settings.scenario_dirs]
    return {
        file.parent.name: file.parent
        for root in roots
        if root.is_dir()
        for file in sorted(root.glob("*/scenario.yaml"))
    }


def components_of_scenario(name: str, stack: Stack) -> list[str]:
    """The names under `components` in its scenario.yaml.

    Raises: InvalidInput for an unknown scenario or a file without that list.
    """
    known = scenario_folders(stack)
    if name not in known:
        listed = ", ".join(sorted(known)) or "none there yet"
        raise InvalidInput(f"no scenario {name!r}", next_action=f"one of: {listed}")
    path = known[name] / "scenario.yaml"
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"cannot be read: {error}", where=str(path), next_action="correct it") from error
    names = data.get("components") if isinstance(data, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise InvalidInput("`components` must be a list of component names", where=str(path), next_action="add it")
    return names
