"""The file causes.yaml, checked where it is read."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from lakeproof.diagnosis.cause import AnyOf, Evidence, Step
from lakeproof.probes.condition import Condition, Operator
from lakeproof.strict_model import StrictModel

CAUSES_FILE = "causes.yaml"
IDENTIFIER = r"^[a-z][a-z0-9_]{1,60}$"
# An identifier in which placeholders may stand.
TEMPLATE = r"^[a-z{][a-z0-9_{}]{1,60}$"


class EvidenceModel(StrictModel):
    """`{probe: ID, op: "==", value: V}`."""

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
        """The evidence that this entry states."""
        return Evidence(self.probe, Condition(self.op, self.value))


class AnyOfModel(StrictModel):
    """`{any: [{probe: …}, {probe: …}]}`: one of these is enough."""

    any: list[EvidenceModel] = Field(min_length=2)

    def evidence(self) -> AnyOf:
        """The evidence that this entry states."""
        return AnyOf(tuple(item.evidence() for item in self.any))


def _kind(entry: Any) -> str:
    """The kind of an entry, told by its key: a validation error then speaks of this kind alone, not of both."""
    return "any" if isinstance(entry, AnyOfModel) or (isinstance(entry, dict) and "any" in entry) else "one"


type NeededModel = Annotated[
    Annotated[EvidenceModel, Tag("one")] | Annotated[AnyOfModel, Tag("any")], Discriminator(_kind)
]


class StepModel(StrictModel):
    """`{id: ID, args: {...}, where: {...}}`. where: only causes whose subject has these words have the step."""

    id: str
    args: dict[str, str | int | float | bool] = Field({})
    where: dict[str, str] = Field({})

    def step(self) -> Step:
        """The step that this entry states."""
        return Step(self.id, tuple(sorted(self.args.items())))


class Texts(StrictModel):
    """One text in both languages."""

    vi: str = Field(min_length=3)
    en: str = Field(min_length=3)


class CauseModel(StrictModel):
    """One entry of causes.yaml.

    masked_by_components: components whose own causes (down, hung, unhealthy) account for this cause. The list
    replaces the components that default_masks.py finds. A cause in `masks` is never added through a component.
    masks: the causes that this cause accounts for; the reverse of masked_by.
    for_each: a noun; one cause is made for each subject of the noun (for_each.py), or for those that fit `where`.
    """

    id: str = Field(pattern=TEMPLATE)
    says: Texts
    necessary: list[NeededModel] = Field(min_length=1)
    supporting: list[EvidenceModel] = Field([])
    contradicting: list[EvidenceModel] = Field([])
    masked_by: list[str] = Field([])
    masked_by_components: list[str] | None = None
    masks: list[str] = Field([])
    explains: list[str] = Field([])
    repairs: list[StepModel]
    for_each: str | None = None
    where: dict[str, str] = Field({})


class CausesModel(StrictModel):
    """The file causes.yaml."""

    causes: list[CauseModel] = Field(min_length=1)
