"""The states of an incident, the runbook's step that each state is, and what may follow what."""

from dataclasses import dataclass
from enum import StrEnum

from lakeproof.errors import InvalidInput


class Status(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATING = "mitigating"
    VERIFYING = "verifying"
    RESOLVED = "resolved"
    REVIEWED = "reviewed"


ONGOING = frozenset({Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATING, Status.VERIFYING})
"""An incident in one of these states takes in further alerts of its group."""

FOLLOWS: dict[Status, frozenset[Status]] = {
    Status.OPEN: frozenset({Status.ACKNOWLEDGED, Status.MITIGATING, Status.RESOLVED}),
    Status.ACKNOWLEDGED: frozenset({Status.MITIGATING, Status.VERIFYING, Status.RESOLVED}),
    Status.MITIGATING: frozenset({Status.VERIFYING, Status.RESOLVED}),
    Status.VERIFYING: frozenset({Status.MITIGATING, Status.RESOLVED}),
    Status.RESOLVED: frozenset({Status.REVIEWED}),
    Status.REVIEWED: frozenset(),
}
"""The one transition table. A problem that comes back after "resolved" is a new incident; only an incident that
closed by itself is opened again by the desk, for a while (intake.py)."""


@dataclass(frozen=True)
class Step:
    """One of the runbook's five steps. vi: in the runbook's own words. ends: what has to be true to leave it."""

    number: int
    vi: str
    en: str
    ends_vi: str
    ends_en: str


STEPS: dict[Status, Step] = {
    Status.OPEN: Step(1, "Phát hiện", "Detection", "có người nhận", "somebody acknowledges it"),
    Status.ACKNOWLEDGED: Step(2, "Chuẩn đoán", "Diagnosis", "bắt đầu sửa", "the repair begins"),
    Status.MITIGATING: Step(
        3,
        "Khắc phục tạm thời",
        "Temporary mitigation",
        "alert đã clear, hoặc nói rõ lý do",
        "its alerts are cleared, or somebody says why full recovery begins before that",
    ),
    Status.VERIFYING: Step(
        4,
        "Phục hồi hoàn toàn",
        "Full recovery",
        "không còn alert nào, hoặc nói rõ lý do",
        "no alert fires, or somebody says why it ends all the same",
    ),
    Status.RESOLVED: Step(
        5,
        "Hậu kiểm",
        "Review",
        "checklist đã trả lời, Lesson Learned đã ghi",
        "the checklist is answered and the lesson is written",
    ),
}
"""The step that an incident in that state is in. A reviewed incident has left the last one."""


def check_move(before: Status, after: Status, *, where: str) -> None:
    """Raises: InvalidInput for a move that the table does not have. Staying is allowed, and changes nothing."""
    if before != after and after not in FOLLOWS[before]:
        possible = ", ".join(sorted(FOLLOWS[before])) or "nothing: it is closed"
        raise InvalidInput(f"{before} cannot become {after}", where=where, next_action=f"possible: {possible}")
