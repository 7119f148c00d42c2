"""Which items the checklist of an incident has."""

from dataclasses import dataclass
from datetime import UTC, datetime

from lakeproof.incidents.checklist import HEALTH, ITEMS, TICKET, AnswerState, lines_of


@dataclass
class Kept:
    """An answer, as the desk's database keeps it."""

    item: str
    state: str = AnswerState.DONE.value
    who: str = "an"
    at: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    text: str = ""


def test_a_closed_incident_has_no_item_that_was_not_asked_for_then_and_that_nobody_can_answer_now() -> None:
    answered = [Kept(HEALTH), Kept(TICKET)]
    assert [line.item for line in lines_of(answered, closed=True)] == [TICKET, HEALTH]
    assert [line.item for line in lines_of(answered)] == [item.id for item in ITEMS]
