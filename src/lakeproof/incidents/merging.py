"""Merging: an incident (the part) joins another one (the whole) of the same trouble, and can be parted from it again.

The part keeps its group (`open_key`) while it is merged, so that further alerts of that group join the whole. A moved
alert remembers the incident that it first came to (`home_id`), and goes back there when the two are parted.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from lakeproof.errors import InvalidInput
from lakeproof.incidents.models import Alert, Incident
from lakeproof.incidents.person import ALERTMANAGER
from lakeproof.incidents.shapes import Act, public_id
from lakeproof.incidents.status import ONGOING, Status
from lakeproof.incidents.timeline import add_entry
from lakeproof.incidents.webhook import NO_SCENARIO, NONE, SEVERITIES, severity_of

# Fields of the whole that change with its parts. `before_merge` keeps their own values until the last part goes.
_LENT = ("severity", "scenario", "use_cases")


def merge(session: Session, part: Incident, whole: Incident, act: Act, now: datetime) -> None:
    """Make `part` and its alerts belong to `whole`, whose owner, status and clock count for both from now on.

    Raises: InvalidInput where both are the same incident, one has ended, one is a part already, or `part` has parts.
    """
    if part.merged_into == whole.id:
        return
    for one in (part, whole):
        if one.status not in ONGOING:
            raise InvalidInput(
                f"it is {one.status}", where=public_id(one.id), next_action="only ongoing incidents are merged"
            )
        refuse_part(one)
    if part is whole:
        raise InvalidInput("it cannot be a part of itself", where=public_id(part.id), next_action="name another one")
    if parts_of(session, part):
        raise InvalidInput("it has parts itself", where=public_id(part.id), next_action="unmerge its parts first")
    if whole.before_merge is None and not parts_of(session, whole):
        whole.before_merge = {name: getattr(whole, name) for name in _LENT}
    for alert in list(part.alerts):
        alert.home_id, alert.incident_id, alert.merged_at = part.id, whole.id, now
    part.merged_into = whole.id
    whole.severity = _worst(whole.severity, part.severity)
    if whole.scenario == NONE:
        whole.scenario = part.scenario
    whole.use_cases = list(dict.fromkeys((*whole.use_cases, *part.use_cases)))
    why = f": {act.text}" if act.text else ""
    add_entry(part, now, act.who, "merged", f"merged into {public_id(whole.id)}{why}")
    add_entry(whole, now, act.who, "merged", f"{public_id(part.id)} ({part.title}) was merged into it{why}")
    session.flush()
    session.expire(part, ["alerts"])
    session.expire(whole, ["alerts"])


def unmerge(session: Session, part: Incident, act: Act, now: datetime) -> None:
    """Make `part` an incident of its own again, with the alerts that came to it, and the whole what it was before the
    merge. The severity of each is then at least that of its worst alert.

    Raises: InvalidInput where `part` is not a part, or has ended together with its whole.
    """
    if part.merged_into is None:
        raise InvalidInput(
            "it is no part of another incident", where=public_id(part.id), next_action="there is nothing to part"
        )
    if part.status not in ONGOING:
        raise InvalidInput(
            f"it ended together with {public_id(part.merged_into)}",
            where=public_id(part.id),
            next_action="what fires now opens another incident",
        )
    whole = session.get_one(Incident, part.merged_into)
    for alert in session.scalars(select(Alert).where(Alert.home_id == part.id)):
        alert.home_id, alert.incident_id, alert.merged_at = None, part.id, None
    part.merged_into = None
    why = f": {act.text}" if act.text else ""
    add_entry(part, now, act.who, "merged", f"parted from {public_id(whole.id)}{why}")
    add_entry(whole, now, act.who, "merged", f"{public_id(part.id)} was parted from it{why}")
    session.flush()
    session.expire(part, ["alerts"])
    session.expire(whole, ["alerts"])
    part.severity = _worst(part.severity, *(severity_of(one.labels) for one in part.alerts))
    parts = parts_of(session, whole)
    if whole.before_merge is not None:
        _give_back(whole, whole.before_merge, parts)
    elif whole.entries[0].who == ALERTMANAGER:
        # An older Lakeproof merged the first part and kept no `before_merge`: alerts and parts tell the severity.
        whole.severity = _worst(*(severity_of(one.labels) for one in whole.alerts), *(one.severity for one in parts))


def _give_back(whole: Incident, own: Mapping[str, Any], parts: Sequence[Incident]) -> None:
    """Give the whole its own severity, scenario and use cases back, with those of the alerts and parts that stay."""
    alerts = whole.alerts
    whole.severity = _worst(
        own["severity"], *(severity_of(one.labels) for one in alerts), *(one.severity for one in parts)
    )
    said = [
        own["scenario"],
        *(one.labels.get("scenario", "")[:128] for one in alerts),
        *(one.scenario for one in parts),
    ]
    whole.scenario = next((one for one in said if one not in NO_SCENARIO), NONE)
    whole.use_cases = list(dict.fromkeys((*own["use_cases"], *(name for one in parts for name in one.use_cases))))
    if not parts:
        whole.before_merge = None


def _worst(*severities: str) -> str:
    return max(severities, key=SEVERITIES.index)


def refuse_part(incident: Incident) -> None:
    """Raises: InvalidInput where the incident is a part of another one: people have to act on the whole instead."""
    if incident.merged_into is not None:
        whole = public_id(incident.merged_into)
        raise InvalidInput(
            f"it is a part of {whole}", where=public_id(incident.id), next_action=f"act on {whole}, or unmerge it"
        )


def parts_of(session: Session, incident: Incident) -> list[Incident]:
    """The incidents that were merged into this one, oldest first."""
    asked = select(Incident).where(Incident.merged_into == incident.id).order_by(Incident.id)
    return list(session.scalars(asked))


def whole_of(session: Session, incident: Incident) -> Incident:
    """The incident that this one was merged into, or this one itself."""
    return incident if incident.merged_into is None else session.get_one(Incident, incident.merged_into)


def end_parts(incident: Incident, status: Status, now: datetime, who: str) -> None:
    """Give the parts of an incident that was resolved, or reviewed, the same status."""
    session = object_session(incident)
    for part in parts_of(session, incident) if session is not None and incident.id is not None else ():
        part.status, part.open_key = status.value, None
        if status is Status.RESOLVED:
            part.resolved_at = now
        else:
            part.reviewed_at = now
        add_entry(part, now, who, "status", f"{status.value} with {public_id(incident.id)}")
