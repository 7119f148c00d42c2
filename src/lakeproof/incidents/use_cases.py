"""Which use cases an incident concerns: those that its scenario's folder names."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from lakeproof.observability.scenario_homes import SCENARIO_FILE, find_scenario
from lakeproof.yaml_file import load_yaml


def find_use_cases(scenario: str, further_scenarios: Iterable[Path] = ()) -> list[str]:
    """The `use_cases` of scenario.yaml; none where there is no such scenario, or its file cannot be read as one."""
    try:
        home = find_scenario(scenario, further_scenarios)
        if home is None:
            return []
        named = load_yaml((home / SCENARIO_FILE).read_text(encoding="utf-8")).get("use_cases", [])
        return [str(name) for name in named]
    except (OSError, yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError):
        return []
