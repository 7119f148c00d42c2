"""A scenario: a folder of data. Its symptom, fault, alerts, evidence, checks and budgets; no logic, no truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.cause_file import IDENTIFIER, StepModel, Texts
from lakeproof.errors import InvalidInput
from lakeproof.observability.scenario_homes import SCENARIO_FILE, scenario_id
from lakeproof.strict_model import StrictModel
from lakeproof.unknown_name import unknown_name
from lakeproof.use_cases.use_case import IDS
from lakeproof.yaml_file import read_yaml

type Language = Literal["vi", "en"]

# Separates a scenario's id from the id of one of its other causes, where both are typed as one word (ID:CAUSE).
CAUSE_SIGN = ":"


class Budgets(StrictModel, frozen=True):
    """How many seconds each phase may take at drill timing. quiet: how long all claims must hold at the end."""

    detect: float = Field(gt=0, le=3600)
    recover: float = Field(gt=0, le=3600)
    verify: float = Field(gt=0, le=3600)
    quiet: float = Field(15, ge=0, le=3600)


class Traffic(StrictModel, frozen=True):
    """The shoppers' load under a drill.

    rate: calls per second.
    least_rate: the fewest calls per second at which the fault shows. With the whole shop up, a drill lowers the rate,
    but not below this one.
    seconds_before: how long shoppers buy before the fault.
    orders: how many orders must be acknowledged before the shoppers are stopped; the drill waits for them.
    purchases: checkouts per second, over all services; they need the whole shop.
    """

    rate: float = Field(gt=0, le=10_000)
    least_rate: float = Field(0, ge=0, le=10_000)
    seconds_before: float = Field(5, ge=0, le=600)
    orders: int = Field(0, ge=0)
    purchases: float = Field(0, ge=0, le=1000)

    @model_validator(mode="after")
    def _least_is_not_more(self) -> "Traffic":
        if self.least_rate > self.rate:
            raise ValueError(f"least_rate {self.least_rate:g} is above rate {self.rate:g}")
        return self


@dataclass(frozen=True)
class Scenario:
    """One incident that can happen. Its repairs are in causes.yaml.

    components: must be up for it, with all that they need.
    touches: components that the fault and the repairs may disturb; empty where they touch no process.
    evidence: probes that show this incident.
    cause: None for the scenario's default cause; else the id of the other cause that brings the incident about.
    others: the same scenario by each of its other causes, by their ids.
    near_misses: faults too weak for this incident; no alert may fire and no cause be named for them.
    """

    id: str
    folder: Path
    titles: Mapping[str, str]
    severity: str
    team: str
    sla_minutes: int
    components: tuple[str, ...]
    touches: tuple[str, ...]
    use_cases: tuple[str, ...]
    fault: Step
    alerts: tuple[str, ...]
    evidence: tuple[str, ...]
    checks: tuple[Step, ...]
    budgets: Budgets
    traffic: Traffic
    cause: str | None = None
    others: Mapping[str, "Scenario"] = field(default_factory=dict)
    near_misses: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        """The name as a person types it: ID, or ID:CAUSE for one of the other causes."""
        return self.id if self.cause is None else f"{self.id}{CAUSE_SIGN}{self.cause}"

    @property
    def owned_alerts(self) -> tuple[str, ...]:
        """The alerts of this scenario and of all its other causes, each once."""
        return tuple(dict.fromkeys(alert for each in (self, *self.others.values()) for alert in each.alerts))

    def by_cause(self, cause: str) -> "Scenario":
        """The same scenario, brought about by that other cause. Raises: InvalidInput that lists the other causes."""
        if not self.others:
            raise InvalidInput(
                f"{self.id} is played by one cause alone",
                where=cause,
                next_action="`lakeproof runbook list` shows others",
            )
        if cause not in self.others:
            raise unknown_name(f"other cause of {self.id}", cause, self.others)
        return self.others[cause]

    def runbook(self, language: Language) -> str:
        """The runbook's prose. Raises: InvalidInput where there is none in that language."""
        path = self.folder / f"runbook.{language}.md"
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise InvalidInput("no runbook in that language", where=str(path), next_action="add it") from error


class OtherCauseModel(StrictModel):
    """One entry of other_causes: another cause of the incident. Fields that are not given are the scenario's own;
    `components` are added to the scenario's.
    """

    id: str = Field(pattern=IDENTIFIER)
    fault: StepModel
    components: tuple[str, ...] = ()
    touches: tuple[str, ...] | None = None
    alerts: tuple[str, ...] | None = Field(None, min_length=1)
    evidence: tuple[str, ...] | None = Field(None, min_length=1)
    checks: list[StepModel] | None = Field(None, min_length=1)
    budgets: Budgets | None = None
    traffic: Traffic | None = None

    def of(self, scenario: Scenario) -> Scenario:
        """The scenario, brought about by this cause."""
        named = ("touches", "alerts", "evidence", "budgets", "traffic")
        given = {name: value for name in named if (value := getattr(self, name)) is not None}
        return replace(
            scenario,
            cause=self.id,
            fault=self.fault.step(),
            components=(*scenario.components, *self.components),
            checks=scenario.checks if self.checks is None else tuple(check.step() for check in self.checks),
            **given,
        )


class ScenarioModel(StrictModel):
    """The file scenario.yaml."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    titles: Texts
    severity: Literal["warning", "high", "critical"]
    team: Literal["data-platform", "kafka", "cassandra", "infrastructure"]
    sla_minutes: int = Field(gt=0, le=1440)
    components: tuple[str, ...] = Field(min_length=1)
    touches: tuple[str, ...]
    use_cases: tuple[Literal[IDS], ...] = Field(min_length=1)  # type: ignore[valid-type]
    fault: StepModel
    alerts: tuple[str, ...] = Field(min_length=1)
    evidence: tuple[str, ...] = Field(min_length=1)
    checks: list[StepModel] = Field(min_length=1)
    budgets: Budgets
    traffic: Traffic
    other_causes: list[OtherCauseModel] = Field(default_factory=list)
    near_misses: list[StepModel] = Field(default_factory=list)


def read_scenario(folder: Path) -> Scenario:
    """The scenario in that folder, checked by itself (scenarios/catalog.py checks it against the modules).

    Raises: InvalidInput for a wrong key or value, or an id that is not the folder's name.
    """
    path = folder / SCENARIO_FILE
    model = read_yaml(path, ScenarioModel)
    if model.id != scenario_id(folder):
        raise InvalidInput(
            f"id {model.id!r} is not the folder's: {scenario_id(folder)!r}",
            where=str(path),
            next_action="make them equal",
        )
    made_here = ("titles", "fault", "checks", "other_causes", "near_misses")
    as_they_are = {name: value for name, value in model if name not in made_here}
    scenario = Scenario(
        folder=folder,
        titles=model.titles.model_dump(),
        fault=model.fault.step(),
        checks=tuple(check.step() for check in model.checks),
        near_misses=tuple(miss.step() for miss in model.near_misses),
        **as_they_are,
    )
    ids = [other.id for other in model.other_causes]
    if len(ids) != len(set(ids)):
        raise InvalidInput("two other causes of one id", where=str(path), next_action="rename one")
    return replace(scenario, others={other.id: other.of(scenario) for other in model.other_causes})
