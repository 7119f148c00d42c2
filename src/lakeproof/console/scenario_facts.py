"""Which alerts and scenarios name a component, and which scenarios hit a use case: read from their folders."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from lakeproof.errors import InvalidInput
from lakeproof.observability.rules import find_rules
from lakeproof.observability.scenario_homes import SCENARIO_FILE, scenario_homes, scenario_id
from lakeproof.yaml_file import load_yaml

log = logging.getLogger(__name__)

# Files of scenarios seldom change, and a page must not read thirty of them each time.
KEPT_SECONDS = 60.0


@dataclass(frozen=True)
class Facts:
    """What the folders of the scenarios say.

    alerts: component → rule → address of the rule's runbook page.
    touching: component → scenarios that touch it.
    hitting: use case → scenarios that name it.
    """

    alerts: Mapping[str, Mapping[str, str]]
    touching: Mapping[str, tuple[str, ...]]
    hitting: Mapping[str, tuple[str, ...]]


class ScenarioFacts:
    """Keeps the facts, and reads them again in the background once somebody asks and they are over a minute old."""

    def __init__(self, further_scenarios: Iterable[Path] = ()) -> None:
        self._folders = tuple(further_scenarios)
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._read_at = float("-inf")

    def newest(self) -> Facts:
        """The facts that were read last. The very first call reads them, which takes a second on a busy machine."""
        with self._lock:
            if self._facts is None:
                self._read()
            elif time.monotonic() - self._read_at > KEPT_SECONDS:
                self._read_at = time.monotonic()
                threading.Thread(target=self._read, name="console-facts", daemon=True).start()
            assert self._facts is not None
            return self._facts

    def read_ahead(self) -> None:
        """Read the facts in the background, before the first page asks for them."""
        threading.Thread(target=self.newest, name="console-facts", daemon=True).start()

    def _read(self) -> None:
        self._facts = read_facts(self._folders)
        self._read_at = time.monotonic()


def read_facts(further_scenarios: tuple[Path, ...] = ()) -> Facts:
    """Read the folders now. A file that is not valid is left out: `drill` and `up` say what is wrong with it."""
    alerts: dict[str, dict[str, str]] = {}
    touching: dict[str, set[str]] = {}
    hitting: dict[str, set[str]] = {}
    try:
        files = find_rules(further_scenarios)
    except InvalidInput:
        files = find_rules()
    for rule in (rule for file in files for rule in file.alerts):
        alerts.setdefault(rule.labels.component, {})[rule.alert] = rule.annotations.runbook_url
    for home in scenario_homes(further_scenarios):
        try:
            components, use_cases = _named_in(home / SCENARIO_FILE)
        except (OSError, yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError) as error:
            log.warning("the scenario of %s is left out of the pages: %r", home, error)
            continue
        for found, names in ((touching, components), (hitting, use_cases)):
            for name in names:
                found.setdefault(name, set()).add(scenario_id(home))
    return Facts(alerts, _sorted(touching), _sorted(hitting))


def _sorted(found: Mapping[str, set[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(names)) for name, names in found.items()}


def _named_in(path: Path) -> tuple[set[str], set[str]]:
    """The components that a scenario or one of its other causes touches, and its use cases."""
    scenario = load_yaml(path.read_text(encoding="utf-8"))
    causes = (scenario, *(scenario.get("other_causes") or ()))
    touched = {component for cause in causes for component in cause.get("touches") or ()}
    return touched, set(scenario.get("use_cases") or ())
