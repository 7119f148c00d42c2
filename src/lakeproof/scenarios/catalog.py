"""Everything that a drill can draw on, loaded and checked as a whole before anything starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from lakeproof.arguments import parse_arguments
from lakeproof.checks.check import Check, all_checks
from lakeproof.diagnosis.cause import Cause, Step
from lakeproof.diagnosis.cause_file import CAUSES_FILE
from lakeproof.diagnosis.causes import load_causes
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, all_faults
from lakeproof.mitigations.mitigation import Mitigation, all_mitigations
from lakeproof.observability.scenario_homes import SCENARIO_FILE
from lakeproof.plugin import Plugin
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.scenarios.scenario import CAUSE_SIGN, Scenario, read_scenario
from lakeproof.scenarios.truth import TRUTH_FILE, Truth, load_truth, other_causes
from lakeproof.stack.components import all_components
from lakeproof.unknown_name import unknown_name
from lakeproof.wrong_fixes.wrong_step import WrongStep, all_wrong_steps
from lakeproof.yaml_file import load_yaml

ALERTS_FILE = "alerts.yml"


@dataclass(frozen=True)
class Catalog:
    """Scenarios and the modules that they name, by id."""

    scenarios: Mapping[str, Scenario]
    causes: tuple[Cause, ...]
    probes: Mapping[str, Probe]
    faults: Mapping[str, type[Fault]]
    mitigations: Mapping[str, type[Mitigation]]
    wrong_steps: Mapping[str, type[WrongStep]]
    checks: Mapping[str, type[Check]]

    @property
    def steps(self) -> Mapping[str, type[Mitigation]]:
        """All that a drill can run in the place of a repair: mitigations and wrong steps."""
        return {**self.mitigations, **self.wrong_steps}

    def scenario(self, name: str) -> Scenario:
        """The scenario of that id; for ID:CAUSE, the scenario played by that one of its other causes.

        Raises: InvalidInput that lists the ids.
        """
        name, _, cause = name.partition(CAUSE_SIGN)
        if name not in self.scenarios:
            raise unknown_name("scenario", name, self.scenarios)
        return self.scenarios[name].by_cause(cause) if cause else self.scenarios[name]

    @property
    def played(self) -> tuple[Scenario, ...]:
        """All that can be drilled: each scenario by its default cause, followed by its other causes."""
        return tuple(each for scenario in self.scenarios.values() for each in (scenario, *scenario.others.values()))

    def cause(self, name: str) -> Cause | None:
        """The cause of that id; None where there is none."""
        return next((cause for cause in self.causes if cause.id == name), None)

    def truth(self, scenario: Scenario) -> Truth:
        """A scenario's truth, checked against the modules. The steps of its accepted repairs have all of their
        arguments, defaults included. For a drill's final evaluation only.

        Raises: InvalidInput.
        """
        truth = load_truth(scenario.folder, scenario.cause)
        where = str(scenario.folder / TRUTH_FILE)
        if self.cause(truth.root_cause) is None:
            known = ", ".join(cause.id for cause in self.causes)
            raise InvalidInput(f"no cause {truth.root_cause!r}", where=where, next_action=f"one of {known}")
        repairs = tuple(self.repair(steps, where) for steps in truth.accepted_repairs)
        named = {check.id for check in scenario.checks}
        for fix in truth.wrong_fixes:
            for step in fix.steps:
                check_step("mitigation or wrong step", self.steps, step, where)
            for check in fix.rejected_by:
                if check not in named:
                    raise InvalidInput(
                        f"{fix.id}: the scenario has no check {check!r}",
                        where=where,
                        next_action=f"one of {', '.join(sorted(named))}",
                    )
        return replace(truth, accepted_repairs=repairs)

    def repair(self, steps: Sequence[Step], where: str) -> tuple[Step, ...]:
        """The steps with all of their arguments, defaults included, in the order of names. Raises: InvalidInput."""
        return tuple(
            Step(step.id, tuple(sorted(check_step("mitigation", self.mitigations, step, where).model_dump().items())))
            for step in steps
        )


def known_step[T](kind: str, modules: Mapping[str, T], name: str, where: str) -> T:
    """The module of that id. Raises: InvalidInput that lists the ids."""
    if name not in modules:
        raise InvalidInput(f"no {kind} {name!r}", where=where, next_action=f"one of {', '.join(modules)}")
    return modules[name]


def check_step[T: Plugin](kind: str, modules: Mapping[str, type[T]], step: Step, where: str) -> T:
    """The module of a step, with its arguments. Raises: InvalidInput for an unknown id or a wrong argument."""
    return parse_arguments(known_step(kind, modules, step.id, where), step.arguments, f"{where}: {step.id}")


def load_catalog(more: tuple[Path, ...] = ()) -> Catalog:
    """Load every scenario, `more` folders included, and check all of it.

    Raises: InvalidInput for an unknown id, a wrong argument, an alert that no rule defines, a rule that no scenario
    owns, a missing runbook, a folder whose id is another, or two causes with the same necessary evidence.
    """
    homes = scenario_folders(more)
    folders = tuple(homes.values())
    probes = all_probes(folders)
    catalog = Catalog(
        scenarios={name: read_scenario(folder) for name, folder in homes.items()},
        causes=load_causes(probes, homes),
        probes=probes,
        faults=all_faults(folders),
        mitigations=all_mitigations(folders),
        wrong_steps=all_wrong_steps(folders),
        checks=all_checks(folders),
    )
    for name in catalog.mitigations.keys() & catalog.wrong_steps.keys():
        raise InvalidInput(
            f"{name!r} is a mitigation and a wrong step as well", where=name, next_action="rename one of them"
        )
    for cause in catalog.causes:
        # A cause that is made for a component (NAME_down, for example) has no scenario folder.
        where = str(homes[cause.scenario] / CAUSES_FILE) if cause.scenario in homes else cause.id
        for step in cause.repairs:
            check_step("mitigation", catalog.mitigations, step, where)
    for scenario in catalog.scenarios.values():
        _check(scenario, catalog)
        for played in (scenario, *scenario.others.values()):
            _check_played(played, catalog)
    return catalog


def _check(scenario: Scenario, catalog: Catalog) -> None:
    where = str(scenario.folder / SCENARIO_FILE)
    for rule in alert_names(scenario.folder / ALERTS_FILE):
        if rule not in scenario.owned_alerts:
            raise InvalidInput(
                f"the scenario does not own the rule {rule!r}",
                where=str(scenario.folder / ALERTS_FILE),
                next_action=f"add it to alerts in {SCENARIO_FILE}",
            )
    for cause in other_causes(scenario.folder):
        if cause not in scenario.others:
            raise InvalidInput(
                f"{TRUTH_FILE} tells of {cause!r}, which no drill plays",
                where=where,
                next_action="add it to other_causes in this file",
            )
    for step in scenario.near_misses:
        check_step("fault", catalog.faults, step, where)
    scenario.runbook("vi")
    scenario.runbook("en")


def _check_played(scenario: Scenario, catalog: Catalog) -> None:
    where = str(scenario.folder / SCENARIO_FILE)
    check_step("fault", catalog.faults, scenario.fault, where)
    for name in scenario.evidence:
        known_step("probe", catalog.probes, name, where)
    for step in scenario.checks:
        check_step("check", catalog.checks, step, where)
    for name in (*scenario.components, *scenario.touches):
        known_step("component", all_components(), name, where)
    rules = alert_names(scenario.folder / ALERTS_FILE)
    for alert in scenario.alerts:
        if alert not in rules:
            raise InvalidInput(
                f"no rule defines the alert {alert!r}", where=where, next_action=f"add it to {ALERTS_FILE}"
            )
    catalog.truth(scenario)


def alert_names(path: Path) -> tuple[str, ...]:
    """The names of the alerts that a rules file in Prometheus' format defines, each once.

    Raises: InvalidInput where the file is missing or not of that format.
    """
    try:
        data = load_yaml(path.read_text(encoding="utf-8"))
        names = [str(rule["alert"]) for group in data["groups"] for rule in group["rules"] if "alert" in rule]
    except FileNotFoundError as error:
        raise InvalidInput("no such file", where=str(path), next_action="add the scenario's rules") from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise InvalidInput(
            f"not a rules file: {error}", where=str(path), next_action="run promtool check rules"
        ) from error
    return tuple(dict.fromkeys(names))
