"""The checklist after recovery: the runbook's five items in its own words, an item on telling those concerned (the
runbook's step 4), and one of our own on health.

A machine answers an item where it can look; a person answers the others, and may waive any item with a reason. What a
person answered stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class AnswerState(StrEnum):
    """What is known of an item. `waived`: a person said why it does not matter here."""

    OPEN = "open"
    DONE = "done"
    WAIVED = "waived"


@dataclass(frozen=True)
class Item:
    """One item of the checklist. machine: the desk looks by itself, and a person answers where it cannot."""

    id: str
    vi: str
    en: str
    machine: bool


ALERTS_CLEARED = "alerts_cleared"
CHECKPOINT = "checkpoint"
CROSS_CHECK = "cross_check"
TICKET = "ticket_resolved"
RCA = "rca_kept"
STAKEHOLDERS = "stakeholders_told"
HEALTH = "health"

ITEMS = (
    Item(ALERTS_CLEARED, "Alert đã clear trong Alertmanager.", "The alerts are cleared in Alertmanager.", True),
    Item(CHECKPOINT, "Checkpoint/Savepoint cập nhật.", "A checkpoint or savepoint was taken since.", True),
    Item(
        CROSS_CHECK,
        "Dữ liệu kiểm tra chéo (Spark/Trino) hợp lệ.",
        "The cross-check of the data (Spark, Trino) is valid.",
        True,
    ),
    Item(TICKET, "Ticket ITSM chuyển trạng thái Resolved.", "The ITSM ticket is resolved.", True),
    Item(RCA, "RCA document lưu vào wiki nội bộ.", "The RCA is kept in the internal wiki.", False),
    Item(STAKEHOLDERS, "Stakeholder đã được cập nhật.", "Those whom the incident concerns were told.", False),
    Item(HEALTH, "Mọi thành phần trả lời /health.", "Every component answers its health question.", True),
)
BY_ID = {item.id: item for item in ITEMS}


class Kept(Protocol):
    """An answer as the database keeps it (models.Answer)."""

    item: str
    state: str
    who: str
    at: datetime
    text: str


@dataclass(frozen=True)
class Line:
    """An item with what is known of it. at: None while nobody looked."""

    item: str
    vi: str
    en: str
    machine: bool
    state: str
    who: str
    at: datetime | None
    text: str

    @property
    def answered(self) -> bool:
        """True where the item does not keep the incident from being closed."""
        return self.state != AnswerState.OPEN


def lines_of(answers: Iterable[Kept], *, closed: bool = False) -> list[Line]:
    """The whole checklist, in the runbook's order.

    closed: the incident was closed. An item without an answer is then left out: the checklist did not have the item
    when the incident was closed, and nobody can answer it any more.
    """
    known = {answer.item: answer for answer in answers}
    return [_line(item, known.get(item.id)) for item in ITEMS if item.id in known or not closed]


def _line(item: Item, answer: Kept | None) -> Line:
    if answer is None:
        return Line(item.id, item.vi, item.en, item.machine, AnswerState.OPEN.value, "", None, "")
    return Line(item.id, item.vi, item.en, item.machine, answer.state, answer.who, answer.at, answer.text)
