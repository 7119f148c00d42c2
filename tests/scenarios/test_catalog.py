"""Scenario folders as a whole: ours load, a folder outside joins them, and each mistake is named."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakeproof.checks.check import all_checks
from lakeproof.errors import InvalidInput
from lakeproof.modules import NOT_KNOWN_TO_A_DIAGNOSIS, NOT_KNOWN_TO_A_REPAIR
from lakeproof.probes.probe import all_probes
from lakeproof.scenarios.catalog import load_catalog

FAULT_MODULE = """
from lakeproof.faults.fault import Fault, Sign


class FloodedCellar(Fault):
    "Flood it."

    def inject(self, stack):
        pass

    def remove(self, stack):
        pass

    def sign(self, stack):
        return Sign(True, "wet")
"""
PROBE_MODULE = """
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe

PROBES = (Probe("water", "cellar", "look", "cm", lambda stack, timeout: 0, Condition(Operator.BELOW, 1)),)
"""
SCENARIO: dict[str, Any] = {
    "id": "wet-cellar",
    "titles": {"vi": "hầm ngập", "en": "a wet cellar"},
    "severity": "warning",
    "team": "infrastructure",
    "sla_minutes": 60,
    "components": ["mysql"],
    "touches": ["mysql"],
    "use_cases": ["inventory-360"],
    "fault": {"id": "flooded_cellar"},
    "alerts": ["CellarWet"],
    "evidence": ["water"],
    "checks": [{"id": "alert_cleared"}],
    "budgets": {"detect": 1, "recover": 1, "verify": 1},
    "traffic": {"rate": 1},
}
CAUSES: dict[str, Any] = {
    "causes": [
        {
            "id": "pump_stopped",
            "says": {"vi": "máy bơm dừng", "en": "the pump stopped"},
            "necessary": [{"probe": "water", "op": ">", "value": 10}],
            "repairs": [{"id": "start_component", "args": {"component": "mysql"}}],
        }
    ]
}
TRUTH: dict[str, Any] = {
    "root_cause": "pump_stopped",
    "trigger": {"vi": "mất điện", "en": "no current"},
    "accepted_repairs": [{"id": "start_component", "args": {"component": "redis"}}],
    "wrong_fixes": [],
}
ALERTS: dict[str, Any] = {"groups": [{"name": "cellar", "rules": [{"alert": "CellarWet", "expr": "water > 10"}]}]}

type Write = Callable[..., tuple[Path, ...]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(
        name: str = "wet-cellar",
        *,
        scenario: dict[str, Any] | None = None,
        causes: dict[str, Any] | None = None,
        truth: dict[str, Any] | None = None,
        alerts: dict[str, Any] | None = None,
        without: str = "",
    ) -> tuple[Path, ...]:
        home = tmp_path / "more" / name
        home.mkdir(parents=True)
        files = {
            "scenario.yaml": yaml.safe_dump(SCENARIO | (scenario or {})),
            "causes.yaml": yaml.safe_dump(causes or CAUSES),
            "truth.yaml": yaml.safe_dump(TRUTH | (truth or {})),
            "alerts.yml": yaml.safe_dump(alerts or ALERTS),
            "runbook.vi.md": "# Hầm ngập\n",
            "runbook.en.md": "# A wet cellar\n",
            "faults.py": FAULT_MODULE,
            "probes.py": PROBE_MODULE,
        }
        for file, text in files.items():
            if file != without:
                (home / file).write_text(text)
        return (tmp_path / "more",)

    return made


def test_our_scenarios_load() -> None:
    catalog = load_catalog()
    assert {"replication-lag", "connector-failure"} <= set(catalog.scenarios)
    for scenario in catalog.scenarios.values():
        assert catalog.truth(scenario).root_cause in {cause.id for cause in catalog.causes}


def test_values_are_asked_after_only_where_the_fault_writes_them() -> None:
    """Where nothing is written that check can only say that it does not know, and the drill cannot pass."""
    drills = [each for one in load_catalog().scenarios.values() for each in (one, *one.others.values())]
    asked = [(drill, check) for drill in drills for check in drill.checks if check.id == "values_kept"]
    assert [drill.name for drill, _ in asked] == ["schema-drift"]
    for drill, check in asked:
        assert drill.fault.id == "drifted_schema"
        fault, asking = dict(drill.fault.args), dict(check.args)
        assert asking == {"table": f"oltp.{fault['table']}", "column": fault["column"]}


@pytest.mark.parametrize("folder", ["wet-cellar", "wet_cellar"])
def test_a_folder_outside_the_package_joins_with_its_own_modules(write: Write, folder: str) -> None:
    catalog = load_catalog(write(folder))
    assert "wet-cellar" in catalog.scenarios
    assert "flooded_cellar" in catalog.faults
    assert "water" in catalog.probes
    assert catalog.scenarios["wet-cellar"].runbook("vi").startswith("# Hầm ngập")


def test_what_import_linter_forbids_in_the_package_is_forbidden_in_a_folder() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    contracts = {each["name"]: each for each in tomllib.loads(text)["tool"]["importlinter"]["contracts"]}

    def forbidden(begin: str) -> set[str]:
        (one,) = (each for name, each in contracts.items() if name.startswith(begin))
        return {module for module in one["forbidden_modules"] if not module.startswith("lakeproof_shop.scenarios.*")}

    assert set(NOT_KNOWN_TO_A_REPAIR) == forbidden("Repairs and checks know")
    assert set(NOT_KNOWN_TO_A_DIAGNOSIS) == forbidden("A diagnosis knows") | forbidden("Probes ask endpoints")


def test_who_wants_its_probes_does_not_run_its_faults(write: Write) -> None:
    home = write()[0] / "wet-cellar"
    (home / "faults.py").write_text("raise SystemExit('the fault was run')\n" + FAULT_MODULE)
    assert "water" in all_probes((home,))


def test_a_check_may_not_read_the_truth_through_the_catalog(write: Write) -> None:
    home = write()[0] / "wet-cellar"
    (home / "checks.py").write_text("from lakeproof.scenarios.catalog import load_catalog\nCHECK = load_catalog()\n")
    with pytest.raises(InvalidInput, match=r"imports lakeproof\.scenarios\.catalog"):
        all_checks((home,))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("from lakeproof.faults.fault import Fault", "imports lakeproof.faults"),
        ("from lakeproof import drills", "imports lakeproof.drills"),
        ("from lakeproof.cli import fault", "imports lakeproof.cli"),
        (
            "def late():\n    import lakeproof.mitigations.mitigation",
            "imports lakeproof.mitigations",
        ),
        ("def late(:", "does not load: SyntaxError"),
    ],
)
def test_a_probe_that_could_know_what_was_broken_is_refused(write: Write, line: str, words: str) -> None:
    home = write()[0] / "wet-cellar"
    (home / "probes.py").write_text(PROBE_MODULE + line + "\n")
    with pytest.raises(InvalidInput, match=words):
        all_probes((home,))


STRAY = [{"alert": "CellarWet", "expr": "1"}, {"alert": "Stray", "expr": "1"}]
# It must be turned down by a check of the scenario.
LOOK_AWAY = {
    "id": "look_away",
    "steps": [{"id": "stop_ticker"}],
    "says": {"vi": "quay đi", "en": "look away"},
    "rejected_by": ["no_order_lost"],
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scenario": {"id": "dry-cellar"}}, "is not the folder's"),
        ({"scenario": {"fault": {"id": "no_such"}}}, "no fault 'no_such'"),
        ({"scenario": {"near_misses": [{"id": "no_such"}]}}, "no fault 'no_such'"),
        ({"scenario": {"fault": {"id": "paused_connector", "args": {"conector": "orders"}}}}, "argument conector"),
        ({"scenario": {"checks": [{"id": "all_well"}]}}, "no check 'all_well'"),
        ({"scenario": {"checks": [{"id": "metric_below_threshold"}]}}, "argument metric"),
        ({"scenario": {"mitigations": ["start_component"]}}, "mitigations"),
        ({"scenario": {"evidence": ["fire"]}}, "no probe 'fire'"),
        ({"scenario": {"components": ["oracle"]}}, "no component 'oracle'"),
        ({"scenario": {"alerts": ["CellarWet", "CellarDry"]}}, "no rule defines the alert 'CellarDry'"),
        ({"scenario": {"severity": "awful"}}, "severity"),
        ({"scenario": {"colour": "blue"}}, "colour"),
        ({"scenario": {"budgets": {"detect": -1}}}, "budgets"),
        ({"scenario": {"traffic": {"rate": 6, "least_rate": 30}}}, "least_rate 30 is above rate 6"),
        ({"truth": {"root_cause": "rain"}}, "no cause 'rain'"),
        ({"truth": {"accepted_repairs": [{"id": "pray"}]}}, "no mitigation 'pray'"),
        ({"causes": {"causes": [CAUSES["causes"][0] | {"repairs": [{"id": "pray"}]}]}}, "no mitigation 'pray'"),
        ({"truth": {"wrong_fixes": [LOOK_AWAY]}}, "has no check 'no_order_lost'"),
        ({"alerts": {"groups": [{"name": "x", "rules": STRAY}]}}, "does not own the rule 'Stray'"),
        ({"without": "runbook.vi.md"}, "no runbook in that language"),
        ({"without": "truth.yaml"}, "no such file"),
        ({"without": "alerts.yml"}, "no such file"),
    ],
)
def test_a_mistake_is_refused_by_file_and_key_before_anything_starts(
    write: Write, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_catalog(write(**changed))
    assert words in refused.value.message
    assert "wet-cellar" in refused.value.message


OTHER = {"id": "door_open", "fault": {"id": "flooded_cellar"}, "components": ["kafka"], "touches": []}
OTHER_TRUTH = {
    "root_cause": "door_open",
    "trigger": {"vi": "cửa mở", "en": "the door stood open"},
    "accepted_repairs": [{"id": "start_component", "args": {"component": "kafka"}}],
}


def test_another_cause_is_the_same_scenario_but_for_what_it_says_itself(write: Write) -> None:
    dry = {"probe": "water", "op": "<", "value": -1}
    catalog = load_catalog(
        write(
            scenario={"other_causes": [OTHER]},
            causes={"causes": [CAUSES["causes"][0], CAUSES["causes"][0] | {"id": "door_open", "necessary": [dry]}]},
            truth={"other_causes": [OTHER_TRUTH]},
        )
    )
    scenario, other = catalog.scenario("wet-cellar"), catalog.scenario("wet-cellar:door_open")
    assert (scenario.name, other.name, other.id) == ("wet-cellar", "wet-cellar:door_open", "wet-cellar")
    assert (other.components, other.touches) == (("mysql", "kafka"), ())
    assert (other.alerts, other.checks, other.traffic) == (scenario.alerts, scenario.checks, scenario.traffic)
    assert catalog.truth(scenario).root_cause == "pump_stopped"
    assert catalog.truth(other).root_cause == "door_open"
    assert [each.name for each in catalog.played if each.id == "wet-cellar"] == [scenario.name, other.name]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scenario": {"other_causes": [OTHER]}}, "nothing is said of 'door_open'"),
        ({"scenario": {"other_causes": [OTHER, OTHER]}}, "two other causes of one id"),
        ({"truth": {"other_causes": [OTHER_TRUTH]}}, "tells of 'door_open', which no drill plays"),
        (
            {"scenario": {"other_causes": [OTHER]}, "truth": {"other_causes": [OTHER_TRUTH]}},
            "no cause 'door_open'",
        ),
        (
            {"scenario": {"other_causes": [OTHER | {"alerts": ["Draught"]}]}},
            "no rule defines the alert 'Draught'",
        ),
        ({"scenario": {"other_causes": [OTHER | {"fault": {"id": "storm"}}]}}, "no fault 'storm'"),
    ],
)
def test_a_mistake_in_another_cause_is_refused_as_well(write: Write, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_catalog(write(**changed))
    assert words in refused.value.message


def test_a_cause_that_a_scenario_has_not_is_refused(write: Write) -> None:
    with pytest.raises(InvalidInput, match="wet-cellar is played by one cause alone"):
        load_catalog(write()).scenario("wet-cellar:rain")


def test_two_folders_of_one_name_are_refused(write: Write) -> None:
    with pytest.raises(InvalidInput, match="is also in"):
        load_catalog(write("replication-lag", scenario={"id": "replication-lag"}))


def test_a_module_that_does_not_load_is_named(write: Write) -> None:
    more = write()
    (more[0] / "wet-cellar" / "probes.py").write_text("import nothing_of_that_name\nPROBES = ()\n")
    with pytest.raises(InvalidInput, match=r"probes\.py.*does not load"):
        load_catalog(more)


def test_a_folder_without_its_scenario_file_is_refused_and_not_skipped(write: Write) -> None:
    with pytest.raises(
        InvalidInput, match=r"more/wet-cellar: no scenario\.yaml .* Next: add scenario\.yaml"
    ) as refused:
        load_catalog(write(without="scenario.yaml"))
    assert "id: wet-cellar" in refused.value.message


def test_a_scenario_given_by_its_own_folder_is_refused_without_its_file(write: Write) -> None:
    with pytest.raises(InvalidInput, match=r"wet-cellar: no scenario\.yaml"):
        load_catalog((write(without="scenario.yaml")[0] / "wet-cellar",))


def test_a_scenario_may_be_given_by_its_own_folder(write: Write) -> None:
    more = write()[0] / "wet-cellar"
    (more / "samples").mkdir()
    assert "wet-cellar" in load_catalog((more,)).scenarios


def test_hidden_folders_beside_scenarios_are_none(write: Write) -> None:
    more = write()
    for name in (".git", "__pycache__"):
        (more[0] / name).mkdir()
    assert "wet-cellar" in load_catalog(more).scenarios


def test_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such folder"):
        load_catalog((tmp_path / "nowhere",))


def test_a_scenario_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InvalidInput, match="replication-lag"):
        load_catalog().scenario("replication_lagg")
