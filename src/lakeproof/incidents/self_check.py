"""The items of a checklist that the desk answers by looking: alerts, checkpoint, cross-check, health.

An item that the desk cannot look at stays open, with the reason, and a person answers it.
"""

import re
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from lakeproof.errors import CouldNotLook
from lakeproof.incidents.checklist import ALERTS_CLEARED, CHECKPOINT, CROSS_CHECK, HEALTH, AnswerState
from lakeproof.incidents.documents import PASSED, VERIFICATION, objects_in, verdicts_of
from lakeproof.incidents.shapes import EvidenceOut, IncidentOut
from lakeproof.incidents.webhook import AlertStatus
from lakeproof.observability.moment import SHARED_SECONDS, Looker, jobs_of
from lakeproof.probes import prometheus
from lakeproof.probes.round import Round
from lakeproof.stack.stack import Stack

# The claim of a drill's verification that compares every engine's rows with the ledger. The names of the readings
# that say how many rows each engine showed begin with this claim.
DATA_CLAIM = "no_order_lost"
# A drill of two incidents makes the claim twice, then with a number in parentheses.
_NAMES = rf"{DATA_CLAIM}(?: \(\d+\))?"
CLAIM, ROWS_OF = re.compile(rf"{_NAMES}$"), re.compile(rf"{_NAMES}\.rows\.(\w+)$")
# Evidence of this kind is what `lakeproof check --json` printed.
CHECK_REPORT = "cross_check"

type Found = tuple[AnswerState, str]


class StackLook(Protocol):
    """What the checklist asks of the stack. Both raise CouldNotLook."""

    def checkpoints(self, alerts: Iterable[Mapping[str, str]]) -> Mapping[str, tuple[int, datetime] | None]:
        """Job → its newest completed checkpoint: the id, and when it was complete; None where it has none yet.

        `alerts`: the labels of each alert, which tell the jobs. Without alerts: the job of every captured database.
        """

    def unwell(self) -> list[str]:
        """The components that do not answer their health question."""


class LiveLook:
    """Asks one stack, from one thread. Answers and failures are used again until nothing was asked for
    SHARED_SECONDS: after a storm the checklists of many incidents are looked at one after the other.
    """

    def __init__(self, stack: Stack, clock: Callable[[], float] = time.monotonic) -> None:
        self._stack, self._clock = stack, clock
        self._looker = Looker(stack)
        self._shared, self._shared_since = Round(), float("-inf")

    def checkpoints(self, alerts: Iterable[Mapping[str, str]]) -> Mapping[str, tuple[int, datetime] | None]:
        """As Flink's REST API tells them."""
        jobs = {job for labels in list(alerts) or [{}] for job in jobs_of(self._stack, labels)}
        return self._once(frozenset(jobs), lambda: self._looker.completed_checkpoints(sorted(jobs)))

    def unwell(self) -> list[str]:
        """As the supervisor's metrics tell it, through Prometheus."""
        expression = "lakeproof_component_healthy"
        found = self._once(expression, lambda: prometheus.instant(self._stack, expression))
        if not found:
            raise CouldNotLook("Prometheus has no component's health", where="lakeproof_component_healthy")
        return sorted(labels.get("component", "?") for labels, value in found if value == 0)

    def _once[T](self, key: Hashable, ask: Callable[[], T]) -> T:
        """What `ask` gives or raises, or gave or raised a moment ago."""
        if self._clock() - self._shared_since > SHARED_SECONDS:
            self._shared = Round()

        def asked() -> T:
            try:
                return ask()
            finally:
                # Counted from the end of the question: a server that hangs takes longer than SHARED_SECONDS to fail.
                self._shared_since = self._clock()

        return self._shared.once(key, asked)


def look_at(incident: IncidentOut, stack: StackLook) -> Mapping[str, Found]:
    """What a look at this incident and its stack says of each item that a machine can answer."""
    since = incident.mitigating_at or incident.opened_at
    found = {
        CHECKPOINT: _checkpoints(incident, stack, since),
        CROSS_CHECK: _cross_check(incident, since),
        HEALTH: _health(stack),
    }
    return found | ({ALERTS_CLEARED: _alerts(incident)} if incident.alerts else {})


def _alerts(incident: IncidentOut) -> Found:
    firing = sorted({one.name for one in incident.alerts if one.status == AlertStatus.FIRING})
    if firing:
        return AnswerState.OPEN, f"still firing: {', '.join(firing)}"
    last = max(one.ends_at for one in incident.alerts if one.ends_at is not None)
    return AnswerState.DONE, f"{len(incident.alerts)} cleared, the last one at {last:%Y-%m-%d %H:%M:%S} UTC"


def _checkpoints(incident: IncidentOut, stack: StackLook, since: datetime) -> Found:
    """Every job that the alerts are about needs a checkpoint: another job's says nothing of the repair."""
    try:
        newest = stack.checkpoints([alert.labels for alert in incident.alerts])
    except CouldNotLook as error:
        return AnswerState.OPEN, f"could not look: {error.message}"
    lacking, done = [], []
    for job, found in newest.items():
        if found is None:
            lacking.append(f"{job} has completed no checkpoint")
        elif found[1] <= since:
            lacking.append(f"checkpoint {found[0]} of {job}, {found[1]:%H:%M:%S} UTC, is older than the repair")
        else:
            done.append(f"checkpoint {found[0]} of {job} was complete at {found[1]:%Y-%m-%d %H:%M:%S} UTC")
    if lacking or not done:
        return AnswerState.OPEN, "; ".join(lacking) or "no job is known that takes checkpoints"
    return AnswerState.DONE, "; ".join(done)


def _health(stack: StackLook) -> Found:
    try:
        unwell = stack.unwell()
    except CouldNotLook as error:
        return AnswerState.OPEN, f"could not look: {error.message}"
    if unwell:
        return AnswerState.OPEN, f"no healthy answer: {', '.join(unwell)}"
    return AnswerState.DONE, "every component that is up answers"


def _cross_check(incident: IncidentOut, since: datetime) -> Found:
    """The newest document since the repair that compares the data decides. A part's document is told with its id."""
    for document in reversed(incident.evidence):
        if document.at >= since and (found := _verdict_on_data(document)) is not None:
            state, text = found
            return state, text if document.incident == incident.id else f"{document.incident}: {text}"
    return AnswerState.OPEN, "nobody has compared the data since the repair (lakeproof check)"


def _verdict_on_data(document: EvidenceOut) -> Found | None:
    if document.kind == VERIFICATION:
        claims = [one for one in verdicts_of(document) if CLAIM.match(one.check)]
        rows = (ROWS_OF.match(one.probe) for one in document.readings)
        claim = next((one for one in claims if one.outcome != PASSED), claims[0] if claims else None)
        return None if claim is None else _found(claim.outcome, claim.found, {row[1] for row in rows if row})
    if document.kind == CHECK_REPORT and isinstance(document.body, dict):
        body: Mapping[str, Any] = document.body
        read = {str(one.get("engine")) for one in objects_in(body.get("tables"))}
        text = f"{', '.join(sorted(read)) or 'no engine'} at hash {body.get('nessie_hash') or 'unknown'}"
        return _found(str(body.get("verdict")), text, read)
    return None


def _found(outcome: str, text: str, read: set[str]) -> Found:
    """read: the engines whose rows were compared. With neither Trino nor Spark a person has to answer the item."""
    if outcome == PASSED and read.isdisjoint(("trino", "spark")):
        outcome, text = "unknown", f"neither Trino nor Spark was read ({text})"
    return (AnswerState.DONE if outcome == PASSED else AnswerState.OPEN), f"{outcome}: {text}"
