"""What is known about a component beyond its process: its log's last lines, its alerts, its pages of the runbook."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from lakeproof.errors import InvalidInput
from lakeproof.observability.rules import SCENARIOS, find_rules

TAIL_BYTES = 24_000
TAIL_LINES = 60
# Files of scenarios seldom change; a page must not read forty of them each time.
KEPT_SECONDS = 60.0


@dataclass(frozen=True)
class Guide:
    """alerts: rule → address of its runbook page, of rules that name the component. runbooks: scenarios that do."""

    alerts: Mapping[str, str]
    runbooks: tuple[str, ...]


class Guides:
    """The guide of each component, read again once it is a minute old."""

    def __init__(self, further_scenarios: Iterable[Path] = ()) -> None:
        self._folders = tuple(further_scenarios)
        self._found: Mapping[str, Guide] = {}
        self._read_at = float("-inf")

    def of(self, component: str) -> Guide:
        """The component's guide; an empty one where nothing names it."""
        if time.monotonic() - self._read_at > KEPT_SECONDS:
            self._found = _read(self._folders)
            self._read_at = time.monotonic()
        return self._found.get(component, Guide({}, ()))


def _read(folders: tuple[Path, ...]) -> Mapping[str, Guide]:
    alerts: dict[str, dict[str, str]] = {}
    runbooks: dict[str, set[str]] = {}
    try:
        files = find_rules(folders)
    except InvalidInput:  # a further folder's file is not valid: `drill` and `up` say so
        files = find_rules()
    for rule in (rule for file in files for rule in file.alerts):
        alerts.setdefault(rule.labels.component, {})[rule.alert] = rule.annotations.runbook_url
    for folder in (SCENARIOS, *folders):
        for path in sorted(folder.glob("*/scenario.yaml")):
            for name in _touched(path):
                runbooks.setdefault(name, set()).add(path.parent.name)
    return {
        name: Guide(dict(sorted(alerts.get(name, {}).items())), tuple(sorted(runbooks.get(name, ()))))
        for name in {*alerts, *runbooks}
    }


def _touched(path: Path) -> list[str]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        causes = (data, *data.get("other_causes", ()))
        return [str(name) for cause in causes for name in cause.get("touches", ())]
    except (OSError, yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError):
        return []


def tail(path: Path) -> list[str]:
    """The last lines of a log, oldest first; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.splitlines()
    return (lines[1:] if size > TAIL_BYTES else lines)[-TAIL_LINES:]
