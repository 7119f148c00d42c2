"""What goes over the desk's API, both ways: checked where bytes enter, the same names where they leave."""

import json
import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    computed_field,
    field_validator,
)

from lakeproof.errors import InvalidInput
from lakeproof.incidents.checklist import AnswerState
from lakeproof.incidents.person import refuse_machine
from lakeproof.incidents.status import Status
from lakeproof.strict_model import StrictModel

EVIDENCE_BYTES = 1_048_576
# Programs that read and show a document give up at some depth of nesting; pydantic, which writes answers, at 255.
EVIDENCE_DEPTH = 64
Short = Annotated[str, Field(max_length=128)]


def _a_persons(name: str) -> str:
    try:
        return refuse_machine(name)
    except InvalidInput as error:
        raise ValueError(f"{error.what}: {error.next_action}") from error


# A person who has the token. What the desk does by itself does not come by these shapes, so its names are refused.
Who = Annotated[Short, AfterValidator(_a_persons)]
# An incident's id as people write it: 1 → INC-000001.
PublicId = Annotated[str, BeforeValidator(lambda number: public_id(number) if isinstance(number, int) else number)]
Long = Annotated[str, Field(max_length=20_000)]
# Identifies one call. Where its answer was lost, the caller sends it again with the same key. "" identifies no call.
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{0,64}$")]
# A metric's own unit, by the last word of its name, as Prometheus names metrics.
UNITS = {"millis": "ms", "seconds": "s", "minutes": "min", "bytes": "bytes"}


class ReadingShape(StrictModel):
    """A reading (probes/reading.py) as JSON."""

    probe: Short = ""
    value: str | int | float | bool | None = None
    unit: Short = ""
    at: AwareDatetime
    source: Short
    query: Long
    error: Long | None = None

    @field_validator("value")
    @classmethod
    def is_json(cls, value: str | int | float | bool | None) -> str | int | float | bool | None:
        """JSON has no infinity and no NaN, and UTF-8 no half of a surrogate pair: these are kept as words."""
        if isinstance(value, str):
            return value.encode(errors="backslashreplace").decode()
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class Act(StrictModel):
    """Who does it, and what they say about it. With a `key`, a move, a note or a document is kept once."""

    who: Who = "operator"
    text: Long = ""
    readings: list[ReadingShape] = Field([], max_length=500)
    key: Key = ""


class Note(Act):
    """A line for the timeline. `kind` groups lines: note, diagnosis, action, verification."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")] = "note"


class Owner(Act):
    """Whose it is from now on; `who` gives it to them."""

    owner: Annotated[Who, Field(min_length=1)]


class Lesson(Act):
    """What was learnt: what will be done so that it does not happen again, or is seen sooner."""

    text: Annotated[str, Field(min_length=10, max_length=20_000)]


class AnswerIn(Act):
    """A person's answer to an item of the checklist; one that is waived needs a reason."""

    item: Short
    state: AnswerState = AnswerState.DONE


class MergeIn(Act):
    """The incident that this one becomes a part of."""

    into: Short


class RunbookReviewIn(Act):
    """A page of the runbook was read, and is right or was put right."""

    page: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,128}$")]


class EvidenceIn(Act):
    """A JSON document up to 1 MiB. `kind`: diagnosis, action, verification, probe, or another word."""

    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")] = "evidence"
    title: Annotated[str, Field(min_length=1, max_length=500)]
    body: Any

    @field_validator("body")
    @classmethod
    def fits(cls, body: Any) -> Any:
        """At most 1 MiB as JSON, not nested too deep, no half of a surrogate pair: else it is never shown again."""
        if _is_deeper(body, EVIDENCE_DEPTH):
            raise ValueError(f"is nested deeper than {EVIDENCE_DEPTH} levels")
        size = len(json.dumps(body, ensure_ascii=False, allow_nan=False).encode())
        if size > EVIDENCE_BYTES:
            raise ValueError(f"is {size} bytes of JSON, at most {EVIDENCE_BYTES}")
        return body


def _is_deeper(body: Any, levels: int) -> bool:
    """True where a value lies below more lists and objects than `levels`."""
    level = [body]
    for _ in range(levels + 1):
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [one for values in inner for one in values]
    return bool(level)


class IncidentIn(StrictModel):
    """An incident opened by a person: what, where, how bad. With a `key`, it is opened once."""

    title: Annotated[str, Field(min_length=1, max_length=500)]
    who: Who = "operator"
    severity: Literal["warning", "high", "critical"] = "warning"
    service: Short = ""
    team: Short = "data-platform"
    scenario: Short = "none"
    metric: Annotated[str, Field(max_length=256)] = ""
    value: float | None = Field(None, allow_inf_nan=False)
    key: Key = ""


class RcaIn(StrictModel):
    """Without `markdown`: draft it from what is known. With it: keep this text instead."""

    who: Who = "operator"
    root_cause: Long = ""
    markdown: Annotated[str, Field(max_length=EVIDENCE_BYTES)] = ""


class _Kept(BaseModel):
    """Is read from the fields of what the desk keeps (models.py)."""

    model_config = ConfigDict(from_attributes=True)


class AlertOut(_Kept):
    """One alert of an incident."""

    fingerprint: str
    name: str
    status: str
    starts_at: datetime
    ends_at: datetime | None
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    received_at: datetime


class EntryOut(_Kept):
    """One line of a timeline."""

    id: int
    at: datetime
    who: str
    kind: str
    what: str
    readings: list[ReadingShape]


class EvidenceOut(_Kept):
    """One attached document. `incident`: the one that it was attached to, which may be a part of the one shown."""

    id: int
    incident: PublicId = Field(validation_alias="incident_id")
    at: datetime
    who: str
    kind: str
    title: str
    body: Any
    readings: list[ReadingShape]


class LineOut(_Kept):
    """An item of the checklist with what is known of it. `machine`: the desk looks by itself."""

    item: str
    vi: str
    en: str
    machine: bool
    state: AnswerState
    who: str
    at: datetime | None
    text: str


class TicketOut(_Kept):
    """The ticket in the ITSM. `key` is empty until it is there; `error`: why it is not in step."""

    key: str
    url: str
    state: str
    tries: int
    error: str
    next_at: datetime | None


class LessonOut(BaseModel):
    """A lesson, and the incident that taught it."""

    incident: str
    scenario: str
    title: str
    root_cause: str
    at: datetime
    by: str
    lesson: str


class RunbookReviewOut(_Kept):
    """The last time that a page of the runbook was reviewed."""

    page: str
    who: str
    at: datetime
    text: str


class History(BaseModel):
    """What the desk remembers for the review of the runbook. Times are the newest ones."""

    alerts: dict[str, datetime]
    incidents: dict[str, datetime]
    reviews: list[RunbookReviewOut]


class StepOut(_Kept):
    """The runbook's step that an incident is in, and what has to be true to leave it."""

    number: int
    vi: str
    en: str
    ends_vi: str
    ends_en: str


class IncidentRow(_Kept):
    """An incident in a list."""

    id: PublicId
    title: str
    status: Status
    severity: str
    team: str
    scenario: str
    service: str
    owner: str
    metric: str
    value: float | None
    use_cases: list[str]
    opened_at: datetime
    acknowledged_at: datetime | None
    mitigating_at: datetime | None
    verifying_at: datetime | None
    resolved_at: datetime | None
    reviewed_at: datetime | None
    escalated_at: datetime | None
    acknowledge_by: datetime
    acknowledge_team: str
    root_cause: str
    lesson: str
    lesson_by: str
    merged_into: PublicId | None
    step: StepOut | None


class IncidentOut(IncidentRow):
    """An incident with all that belongs to it. `moment`: what was looked up when it opened, as readings."""

    moment: dict[str, ReadingShape] | None
    rca: str
    alerts: list[AlertOut]
    timeline: list[EntryOut] = Field(validation_alias="entries")
    evidence: list[EvidenceOut] = Field(validation_alias="all_evidence")
    checklist: list[LineOut]
    parts: list[str]
    ticket: TicketOut | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def unit(self) -> str:
        """What `value` is, in words that follow the number; "" where it is the metric itself in its own unit."""
        return self.unit_in("en")

    def unit_in(self, language: str) -> str:
        """As `unit`, in "vi" or "en": as the alert says that opened the incident and gave it metric and title."""
        told = [one.annotations for one in self.alerts if one.annotations.get("metric", "") == self.metric]
        opened = next((one for one in told if one.get("summary_en") == self.title), told[0] if told else {})
        return opened.get(f"unit_{language}", "")

    def violated(self, language: str = "en") -> str:
        """The violated metric with its value: "lag_millis = 45000 ms", or "92.7 % of max_connections (connections)".

        An incident without a metric is told by the name of its first alert; "" where there is none either.
        """
        name = self.metric or next((one.name for one in self.alerts), "")
        if self.value is None or not name:
            return name
        unit = self.unit_in(language)
        of_metric = f"{name} = {self.value:.6g} {UNITS.get(name.rpartition('_')[2], '')}".rstrip()
        return f"{self.value:.6g} {unit} ({name})" if unit else of_metric


def public_id(number: int) -> str:
    """An incident's id as people write it."""
    return f"INC-{number:06d}"


def utc_now() -> datetime:
    """Now, aware, UTC."""
    return datetime.now(UTC)
