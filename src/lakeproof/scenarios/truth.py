"""The truth about a scenario, from its truth.yaml. Only a drill's final evaluation may read it, diagnosis never."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.cause_file import IDENTIFIER, StepModel, Texts
from lakeproof.errors import InvalidInput
from lakeproof.strict_model import StrictModel
from lakeproof.yaml_file import read_yaml

TRUTH_FILE = "truth.yaml"


@dataclass(frozen=True)
class WrongFix:
    """Something that looks like a repair and is none.

    rejected_by: checks of which at least one must fail.
    loses_data: the fix loses data for good, so that a later drill on the same stack would find the loss.
    """

    id: str
    steps: tuple[Step, ...]
    says: Mapping[str, str]
    rejected_by: tuple[str, ...]
    loses_data: bool = False


@dataclass(frozen=True)
class Truth:
    """What really happened, what repairs it, and what only looks like a repair.

    accepted_repairs: each is the steps, with their arguments, that together make a repair. The steps that were run
    must equal one of them: a missing step, an extra one, or one on another component or connector is no repair.
    """

    root_cause: str
    trigger: Mapping[str, str]
    accepted_repairs: tuple[tuple[Step, ...], ...]
    wrong_fixes: tuple[WrongFix, ...]

    def wrong_fix(self, name: str) -> WrongFix | None:
        """The wrong fix of that id."""
        return next((fix for fix in self.wrong_fixes if fix.id == name), None)


class WrongFixModel(StrictModel):
    """One entry of wrong_fixes."""

    id: str = Field(pattern=IDENTIFIER)
    steps: list[StepModel] = Field(min_length=1)
    says: Texts
    rejected_by: tuple[str, ...] = Field(min_length=1)
    loses_data: bool = False


class CauseTruthModel(StrictModel):
    """The truth about one cause: an entry of other_causes, and also the part of truth.yaml on the default cause."""

    root_cause: str = Field(pattern=IDENTIFIER)
    trigger: Texts
    accepted_repairs: list[StepModel | Annotated[list[StepModel], Field(min_length=1)]] = Field(min_length=1)
    wrong_fixes: list[WrongFixModel] = Field(default_factory=list)


class TruthModel(CauseTruthModel):
    """The file truth.yaml."""

    other_causes: list[CauseTruthModel] = Field(default_factory=list)


def other_causes(folder: Path) -> tuple[str, ...]:
    """The ids of the other causes in that folder's truth.yaml. Raises: InvalidInput."""
    return tuple(one.root_cause for one in read_yaml(folder / TRUTH_FILE, TruthModel).other_causes)


def load_truth(folder: Path, cause: str | None = None) -> Truth:
    """The truth of the scenario in that folder, for its default cause or for one of its other causes.

    Raises: InvalidInput.
    """
    path = folder / TRUTH_FILE
    whole = read_yaml(path, TruthModel)
    model = whole if cause is None else next((one for one in whole.other_causes if one.root_cause == cause), None)
    if model is None:
        raise InvalidInput(
            f"nothing is said of {cause!r}", where=str(path), next_action="add it to other_causes in this file"
        )
    names = [fix.id for fix in model.wrong_fixes]
    if len(names) != len(set(names)):
        raise InvalidInput("two wrong fixes of one id", where=str(path), next_action="rename one")
    return Truth(
        root_cause=model.root_cause,
        trigger=model.trigger.model_dump(),
        accepted_repairs=tuple(
            tuple(step.step() for step in (repair if isinstance(repair, list) else [repair]))
            for repair in model.accepted_repairs
        ),
        wrong_fixes=tuple(
            WrongFix(
                fix.id,
                tuple(step.step() for step in fix.steps),
                fix.says.model_dump(),
                fix.rejected_by,
                fix.loses_data,
            )
            for fix in model.wrong_fixes
        ),
    )
