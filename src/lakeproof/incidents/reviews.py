"""What outlives an incident: its lesson, its answered checklist, and when the runbook was reviewed."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select

from lakeproof.errors import InvalidInput
from lakeproof.incidents.checklist import BY_ID, ITEMS, AnswerState
from lakeproof.incidents.memory import Memory, find_to_change, kept, out
from lakeproof.incidents.models import Alert, Answer, Incident, RunbookReview
from lakeproof.incidents.person import DESK
from lakeproof.incidents.shapes import (
    AnswerIn,
    History,
    IncidentOut,
    Lesson,
    LessonOut,
    RunbookReviewIn,
    RunbookReviewOut,
    public_id,
)
from lakeproof.incidents.status import Status
from lakeproof.incidents.timeline import add_entry

# At most this many incidents have their checklists looked at in one round (`to_look_at` says which).
MOST_LOOKS = 20


class Reviews(Memory):
    """Lessons, checklists, reviews of the runbook."""

    def learn(self, name: str, lesson: Lesson) -> IncidentOut:
        """Keep what was learnt; a later lesson of the same incident takes the place of the former one."""
        with self._write() as session:
            incident = find_to_change(session, name)
            if incident.lesson != lesson.text:
                incident.lesson, incident.lesson_by = lesson.text, lesson.who
                add_entry(incident, self._now(), lesson.who, "lesson", f"lesson learned: {lesson.text}")
            return kept(session, incident)

    def answer(self, name: str, given: AnswerIn) -> IncidentOut:
        """Keep a person's answer to an item of the checklist. No machine changes that answer any more.

        Raises: NoSuchIncident; InvalidInput for an unknown item, and for a waived one without a reason.
        """
        if given.item not in BY_ID:
            raise InvalidInput(f"no item {given.item!r}", where="item", next_action=f"one of {', '.join(BY_ID)}")
        if given.state is AnswerState.WAIVED and not given.text.strip():
            raise InvalidInput("a waived item needs a reason", where=given.item, next_action="say why in `text`")
        now = self._now()
        with self._write() as session:
            incident = find_to_change(session, name)
            if incident.status == Status.REVIEWED:
                raise InvalidInput("it is closed", where=public_id(incident.id), next_action="add a note")
            if _put_answer(incident, given.item, given.state, given.who, given.text, now):
                why = f": {given.text}" if given.text else ""
                text = f"checklist, {BY_ID[given.item].en} {given.state.value}{why}"
                add_entry(incident, now, given.who, "checklist", text)
            return kept(session, incident)

    def keep_looks(self, name: str, looks: Mapping[str, tuple[AnswerState, str]]) -> None:
        """Keep what the desk itself found for items of the checklist. Where a person answered, that answer stays.

        Nothing is kept for a closed incident: a look takes seconds, in which a person may have closed it.
        """
        now = self._now()
        with self._write() as session:
            incident = find_to_change(session, name)
            if incident.status == Status.REVIEWED:
                return
            known = {answer.item: answer for answer in incident.answers}
            for item, (state, text) in looks.items():
                before = known.get(item)
                if before is not None and before.who != DESK:
                    continue
                was = before.state if before is not None else AnswerState.OPEN.value
                if _put_answer(incident, item, state, DESK, text, now) and was != state.value:
                    what = f"checklist, {BY_ID[item].en} {state.value}: {text}"
                    add_entry(incident, now, DESK, "checklist", what)

    def lessons(self, scenario: str = "", *, most: int = 50) -> list[LessonOut]:
        """What was learnt, the newest first; of one scenario, or of all."""
        asked = select(Incident).where(Incident.lesson != "").order_by(Incident.id.desc()).limit(most)
        if scenario:
            asked = asked.where(Incident.scenario == scenario)
        with self._read() as session:
            return [
                LessonOut(
                    incident=public_id(one.id),
                    scenario=one.scenario,
                    title=one.title,
                    root_cause=one.root_cause,
                    at=one.resolved_at or one.opened_at,
                    by=one.lesson_by,
                    lesson=one.lesson,
                )
                for one in session.scalars(asked)
            ]

    def review_page(self, given: RunbookReviewIn) -> RunbookReviewOut:
        """Keep that a page of the runbook was reviewed now."""
        with self._write() as session:
            made = RunbookReview(page=given.page, who=given.who, at=self._now(), text=given.text)
            session.add(made)
            session.flush()
            return RunbookReviewOut.model_validate(made)

    def history(self) -> History:
        """When each alert came last, when each scenario had its last incident, when each page was reviewed last."""
        with self._read() as session:
            alerts = session.execute(select(Alert.name, func.max(Alert.starts_at)).group_by(Alert.name))
            major = select(Incident.scenario, func.max(Incident.opened_at)).where(
                Incident.severity.in_(("high", "critical"))
            )
            newest = select(func.max(RunbookReview.id)).group_by(RunbookReview.page)
            reviews = session.scalars(select(RunbookReview).where(RunbookReview.id.in_(newest)))
            return History(
                alerts={row[0]: row[1] for row in alerts},
                incidents={row[0]: row[1] for row in session.execute(major.group_by(Incident.scenario))},
                reviews=[RunbookReviewOut.model_validate(one) for one in reviews],
            )

    def to_look_at(self, since: datetime) -> list[IncidentOut]:
        """MOST_LOOKS incidents whose checklist the desk may still answer: first those that are being verified, then
        those that were resolved after `since`. The newest of each kind come first.

        An incident that is being verified is looked at even when every item is answered: an item may fail again.
        """
        machine = [item.id for item in ITEMS if item.machine]
        settled = select(func.count(Answer.id)).where(
            Answer.incident_id == Incident.id,
            Answer.item.in_(machine),
            (Answer.state != AnswerState.OPEN.value) | (Answer.who != DESK),
        )
        verifying = Incident.status == Status.VERIFYING.value
        resolved = (Incident.status == Status.RESOLVED.value) & (Incident.resolved_at > since)
        asked = select(Incident).where(
            verifying | (resolved & (settled.scalar_subquery() < len(machine))), Incident.merged_into.is_(None)
        )
        with self._read() as session:
            found = session.scalars(asked.order_by(verifying.desc(), Incident.id.desc()).limit(MOST_LOOKS))
            return [out(one) for one in found.all()]


def reopen_checklist(incident: Incident, now: datetime, why: str = "another repair has begun since") -> None:
    """Open the items that the desk answered: its looks prove nothing any more. A person's answers stay."""
    stale = [one for one in incident.answers if one.who == DESK and one.state != AnswerState.OPEN]
    for answer in stale:
        answer.state, answer.at, answer.text = AnswerState.OPEN.value, now, why
    if stale:
        again = ", ".join(line.item for line in incident.checklist if line.item in {one.item for one in stale})
        add_entry(incident, now, DESK, "checklist", f"checklist: {again} open again")


def _put_answer(incident: Incident, item: str, state: AnswerState, who: str, text: str, now: datetime) -> bool:
    """Write an answer; False where it says what is known already."""
    before = next((one for one in incident.answers if one.item == item), None)
    if before is None:
        incident.answers.append(Answer(item=item, state=state.value, who=who, at=now, text=text))
        return True
    if (before.state, before.who, before.text) == (state.value, who, text):
        return False
    before.state, before.who, before.at, before.text = state.value, who, now, text
    return True
