"""Which use cases an incident concerns: those that its scenario's folder names."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from lakeproof.observability.rules import SCENARIOS


def find_use_cases(scenario: str, further_scenarios: Iterable[Path] = ()) -> list[str]:
    """The `use_cases` of scenario.yaml; none where there is no such scenario, or its file is not valid."""
    for folder in (SCENARIOS, *further_scenarios):
        # The name comes from a label: it must be a folder's name, not a path.
        path = next((entry / "scenario.yaml" for entry in _folders(folder) if entry.name == scenario), None)
        if path is None or not path.is_file():
            continue
        try:
            named = yaml.safe_load(path.read_text(encoding="utf-8")).get("use_cases", [])
            return [str(name) for name in named]
        except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError):
            return []
    return []


def is_scenario(name: str, further_scenarios: Iterable[Path] = ()) -> bool:
    """Whether a folder of that name is a scenario."""
    folders = (SCENARIOS, *further_scenarios)
    return any(one.name == name and (one / "scenario.yaml").is_file() for place in folders for one in _folders(place))


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
