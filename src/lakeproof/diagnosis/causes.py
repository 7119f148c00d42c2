"""Root causes as data: what must be seen, what speaks for it, what rules it out, what hides it, what mends it.

Read from `causes.yaml` in each scenario's folder. This module knows no fault, no truth, no alert: it is all that a
diagnosis may load (import-linter keeps it so).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lakeproof.errors import InvalidInput
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.scenarios.folder import read_yaml, scenario_folders
from lakeproof.stack.components import all_components

CAUSES_FILE = "causes.yaml"
COMMON_FILE = Path(__file__).with_name("common_causes.yaml")
IDENTIFIER = r"^[a-z][a-z0-9_]{1,60}$"


@dataclass(frozen=True)
class Evidence:
    """A condition on one probe."""

    probe: str
    condition: Condition


@dataclass(frozen=True)
class Step:
    """An action by id with its arguments."""

    id: str
    args: tuple[tuple[str, Any], ...] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by name."""
        return dict(self.args)


@dataclass(frozen=True)
class Cause:
    """One root cause.

    It is named where all of `necessary` holds, nothing of `contradicting` does, and no cause in `masked_by` accounts
    for it. `explains`: probes that may be out of range, or unanswered, because of it. `repairs`: in this order; none:
    a person has to look. of_all: necessary is only what concerns the components that are part of the stack.
    connector: the one of change capture on whose way it lies; None: on all, or on none.
    """

    id: str
    scenario: str
    says: Mapping[str, str]
    necessary: tuple[Evidence, ...]
    supporting: tuple[Evidence, ...]
    contradicting: tuple[Evidence, ...]
    masked_by: tuple[str, ...]
    explains: tuple[str, ...]
    repairs: tuple[Step, ...]
    of_all: bool = False
    connector: str | None = None

    @property
    def probes(self) -> set[str]:
        """Every probe whose reading this cause accounts for."""
        return {evidence.probe for evidence in (*self.necessary, *self.supporting)} | set(self.explains)

    @property
    def asked(self) -> set[str]:
        """Every probe that must be asked to judge this cause."""
        return self.probes | {evidence.probe for evidence in self.contradicting}


class EvidenceModel(BaseModel):
    """`{probe: ID, op: "==", value: V}`."""

    model_config = ConfigDict(extra="forbid")
    probe: str
    op: Operator
    value: str | int | float | bool | None = None

    @model_validator(mode="after")
    def _value_fits(self) -> "EvidenceModel":
        alone = self.op in (Operator.ABSENT, Operator.GROWS)
        if alone and self.value is not None:
            raise ValueError(f"{self.op.value} takes no value")
        if not alone and self.value is None:
            raise ValueError(f"{self.op.value} needs a value")
        if self.op in (Operator.BELOW, Operator.ABOVE) and not isinstance(self.value, int | float):
            raise ValueError(f"{self.op.value} needs a number")
        return self

    def evidence(self) -> Evidence:
        """As inside."""
        return Evidence(self.probe, Condition(self.op, self.value))


class StepModel(BaseModel):
    """`{id: ID, args: {...}}`."""

    model_config = ConfigDict(extra="forbid")
    id: str
    args: dict[str, str | int | float | bool] = {}

    def step(self) -> Step:
        """As inside."""
        return Step(self.id, tuple(sorted(self.args.items())))


class Texts(BaseModel):
    """One text in both languages."""

    model_config = ConfigDict(extra="forbid")
    vi: str = Field(min_length=3)
    en: str = Field(min_length=3)


class CauseModel(BaseModel):
    """One entry of causes.yaml.

    masked_by_components: their causes (down, hung, unhealthy) account for this one.
    of: made once for each capture (capture_causes.py). stops_with_capture: of the capture that a component of its own
    stands for, this is also what stopping that component does. connector: of one capture only.
    scenario: in common_causes.yaml only.
    """

    model_config = ConfigDict(extra="forbid")
    id: str = Field(pattern=IDENTIFIER)
    says: Texts
    necessary: list[EvidenceModel] = Field(min_length=1)
    supporting: list[EvidenceModel] = []
    contradicting: list[EvidenceModel] = []
    masked_by: list[str] = []
    masked_by_components: list[str] = []
    masks: list[str] = []
    explains: list[str] = []
    repairs: list[StepModel]
    scenario: str | None = None
    of: Literal["each capture"] | None = None
    stops_with_capture: bool = False
    connector: str | None = None


class CausesModel(BaseModel):
    """The file causes.yaml."""

    model_config = ConfigDict(extra="forbid")
    causes: list[CauseModel] = Field(min_length=1)


def load_causes(probes: Mapping[str, Probe], folders: tuple[Path, ...] = ()) -> tuple[Cause, ...]:
    """The causes of all scenarios and of all components, checked against each other and against the probes.

    Raises: InvalidInput for an unknown probe, cause or component, one id twice, or two causes with the same necessary
    evidence.
    """
    # Not above: they make causes of the classes of this module.
    from lakeproof.diagnosis import component_causes as made

    components = {name: one for name, one in all_components().items() if not one.on_demand}
    models = _models(folders, probes)
    generated = made.component_causes(components, probes)
    masked_by: dict[str, set[str]] = {model.id: set(model.masked_by) for _, _, model in models}
    masked_by |= {cause.id: set(cause.masked_by) for cause in generated}
    for _, path, model in models:
        for other in (*model.masks, *model.masked_by):
            if other not in masked_by:
                raise InvalidInput(f"{model.id}: no cause {other!r}", where=str(path), next_action="correct the id")
        for name in model.masked_by_components:
            if name not in components:
                known = ", ".join(components)
                raise InvalidInput(
                    f"{model.id}: no component {name!r}", where=str(path), next_action=f"one of {known}"
                )
            masked_by[model.id].update(made.cause_ids(name))
        for other in model.masks:
            masked_by[other].add(model.id)
    for name, others in masked_by.items():
        others.update({made.NOTHING_RUNS} - {name})
    causes = (
        *(_cause(scenario, model, masked_by[model.id]) for scenario, _, model in models),
        *(replace(cause, masked_by=tuple(sorted(masked_by[cause.id]))) for cause in generated),
    )
    _check(causes, [*(path for _, path, _ in models), *(COMMON_FILE for _ in generated)], probes)
    return causes


def _models(folders: tuple[Path, ...], probes: Mapping[str, Probe]) -> list[tuple[str, Path, CauseModel]]:
    """Every entry with its scenario and its file, those of each capture once for each."""
    from lakeproof.diagnosis.capture_causes import of_each

    entries = list(_entries(folders))
    found = of_each([model for _, _, model in entries], probes)
    homes = iter([entry[:2] for entry in entries for _ in range(1 if entry[2].of is None else 2)])
    return [(*next(homes), model) for model in found]


def _entries(folders: tuple[Path, ...]) -> Iterable[tuple[str, Path, CauseModel]]:
    """Every entry as it stands in its file."""
    for model in read_yaml(COMMON_FILE, CausesModel).causes:
        if model.scenario is None:
            raise InvalidInput(f"{model.id}: scenario is missing", where=str(COMMON_FILE), next_action="add it")
        yield model.scenario, COMMON_FILE, model
    for scenario, folder in scenario_folders(folders).items():
        path = folder / CAUSES_FILE
        if path.is_file():
            for model in read_yaml(path, CausesModel).causes:
                if model.scenario is not None:
                    raise InvalidInput(
                        f"{model.id}: its scenario is its folder's", where=str(path), next_action="remove scenario"
                    )
                yield scenario, path, model


def _cause(scenario: str, model: CauseModel, masked_by: Iterable[str]) -> Cause:
    return Cause(
        id=model.id,
        scenario=scenario,
        says={"vi": model.says.vi, "en": model.says.en},
        necessary=tuple(item.evidence() for item in model.necessary),
        supporting=tuple(item.evidence() for item in model.supporting),
        contradicting=tuple(item.evidence() for item in model.contradicting),
        masked_by=tuple(sorted(masked_by)),
        explains=tuple(model.explains),
        repairs=tuple(item.step() for item in model.repairs),
        connector=model.connector,
    )


def _check(causes: tuple[Cause, ...], paths: list[Path], probes: Mapping[str, Probe]) -> None:
    homes: dict[str, Path] = {}
    needs: dict[frozenset[Evidence], str] = {}
    for cause, path in zip(causes, paths, strict=True):
        if cause.id in homes:
            raise InvalidInput(
                f"cause {cause.id!r} is also in {homes[cause.id]}", where=str(path), next_action="give one another id"
            )
        homes[cause.id] = path
        for name in sorted(cause.asked):
            if name not in probes:
                raise InvalidInput(
                    f"{cause.id}: no probe {name!r}", where=str(path), next_action=f"one of {', '.join(probes)}"
                )
        necessary = frozenset(cause.necessary)
        if necessary in needs:
            raise InvalidInput(
                f"{cause.id} and {needs[necessary]} have the same necessary evidence: nothing tells them apart",
                where=str(path),
                next_action="add evidence that only one of them has",
            )
        needs[necessary] = cause.id
