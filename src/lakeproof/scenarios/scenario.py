"""A scenario: a folder of data. Its symptom, fault, alerts, evidence, checks and budgets; no logic, no truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.cause_file import StepModel, Texts
from lakeproof.errors import InvalidInput
from lakeproof.scenarios.folder import SCENARIO_FILE
from lakeproof.yaml_file import read_yaml

type Language = Literal["vi", "en"]

USE_CASES = (
    "fraud-detection",
    "inventory-360",
    "marketing-personalization",
    "finance-reconciliation",
    "customer-support-360",
)


@dataclass(frozen=True)
class Budgets:
    """How long these phases may take at drill timing, in seconds. `quiet`: how long all must stay well at the end."""

    detect: float
    recover: float
    verify: float
    quiet: float


@dataclass(frozen=True)
class Traffic:
    """The shoppers' load under a drill.

    rate: calls per second. seconds_before: before the fault comes. orders: so many must be acknowledged before the
    shoppers are stopped; the drill waits for them. purchases: checkouts per second, over all services; they need the
    whole shop.
    """

    rate: float
    seconds_before: float
    orders: int
    purchases: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """One incident that can happen.

    components: what must be up for it (with its closure). touches: those that the fault and the repairs may
    touch; none where they touch no process.
    evidence: probes that show this incident. What repairs it stands in causes.yaml.
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

    def runbook(self, language: Language) -> str:
        """The runbook's prose. Raises: InvalidInput where there is none in that language."""
        path = self.folder / f"runbook.{language}.md"
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise InvalidInput("no runbook in that language", where=str(path), next_action="add it") from error


class BudgetsModel(BaseModel):
    """budgets: seconds."""

    model_config = ConfigDict(extra="forbid")
    detect: float = Field(gt=0, le=3600)
    recover: float = Field(gt=0, le=3600)
    verify: float = Field(gt=0, le=3600)
    quiet: float = Field(15, ge=0, le=3600)


class TrafficModel(BaseModel):
    """traffic: the shoppers' load."""

    model_config = ConfigDict(extra="forbid")
    rate: float = Field(gt=0, le=10_000)
    seconds_before: float = Field(5, ge=0, le=600)
    orders: int = Field(0, ge=0)
    purchases: float = Field(0, ge=0, le=1000)


class ScenarioModel(BaseModel):
    """The file scenario.yaml."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    titles: Texts
    severity: Literal["warning", "high", "critical"]
    team: Literal["data-platform", "kafka", "cassandra", "infrastructure"]
    sla_minutes: int = Field(gt=0, le=1440)
    components: list[str] = Field(min_length=1)
    touches: list[str]
    use_cases: list[Literal[USE_CASES]] = Field(min_length=1)  # type: ignore[valid-type]
    fault: StepModel
    alerts: list[str] = Field(min_length=1)
    evidence: list[str] = Field(min_length=1)
    checks: list[StepModel] = Field(min_length=1)
    budgets: BudgetsModel
    traffic: TrafficModel


def read_scenario(folder: Path) -> Scenario:
    """The scenario in that folder, checked by itself alone (scenarios/catalog.py checks it against the modules).

    Raises: InvalidInput for a wrong key or value, or an id that is not the folder's name.
    """
    path = folder / SCENARIO_FILE
    model = read_yaml(path, ScenarioModel)
    if model.id != folder.name:
        raise InvalidInput(
            f"id {model.id!r} is not the folder's name {folder.name!r}",
            where=str(path),
            next_action="make them equal",
        )
    return Scenario(
        id=model.id,
        folder=folder,
        titles={"vi": model.titles.vi, "en": model.titles.en},
        severity=model.severity,
        team=model.team,
        sla_minutes=model.sla_minutes,
        components=tuple(model.components),
        touches=tuple(model.touches),
        use_cases=tuple(model.use_cases),
        fault=model.fault.step(),
        alerts=tuple(model.alerts),
        evidence=tuple(model.evidence),
        checks=tuple(check.step() for check in model.checks),
        budgets=Budgets(**model.budgets.model_dump()),
        traffic=Traffic(**model.traffic.model_dump()),
    )
