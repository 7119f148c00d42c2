"""A repair by a person's word: its steps one after another, each told to the incident, the one that breaks too."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from lakeproof.arguments import Arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.drills.diagnosis import Finding
from lakeproof.drills.steps import StepDone, run_step
from lakeproof.errors import InvalidInput
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.captures import CAPTURES, Capture
from lakeproof.scenarios.causes import Step
from lakeproof.stack.stack import Stack


def fitting(findings: Sequence[Finding], incident: Mapping[str, Any]) -> Finding:
    """Which of several findings to repair for an incident: first those of the capture that its alerts name.

    The diagnosis itself reads no label; where they name none, or one that nothing is found about, the best supported
    comes first as ever.
    """
    named = {capture.connector for capture in _named(incident)}
    if not named:
        return findings[0]
    order = [connector in named if connector else None for connector in (one.cause.connector for one in findings)]
    return next(findings[order.index(wanted)] for wanted in (True, None, False) if wanted in order)


def aimed(
    step: Step, arguments: type[Arguments], incident: Mapping[str, Any], there: Sequence[Capture] = CAPTURES
) -> Step:
    """A step that a person chose, at the capture that the incident's alerts name, where the person named none.

    there: the captures of this stack now. Raises: InvalidInput where it must act on one of several, and neither
    the alerts nor the person name one: the usual one could be well, and the repair would say so.
    """
    captures = _named(incident)
    asked = [name for name in ("connector", "database") if name in arguments.model_fields]
    if len(captures) != 1:
        if asked and len(there) > 1 and not step.arguments.keys() & asked:
            own = [_own(capture)[asked[0]] for capture in there]
            raise InvalidInput(
                f"the incident's alerts do not say which {asked[0]} it is about",
                where=step.id,
                next_action=" or ".join(f"--arg {asked[0]}={name}" for name in own),
            )
        return step
    own_of_it = _own(captures[0])
    missing = {name: own_of_it[name] for name in asked}
    return Step(step.id, tuple(sorted((missing | step.arguments).items())))


def _own(capture: Capture) -> dict[str, str]:
    return {"connector": capture.connector, "database": capture.database.name}


def _named(incident: Mapping[str, Any]) -> list[Capture]:
    labels: list[Mapping[str, str]] = [alert.get("labels") or {} for alert in incident.get("alerts") or ()]
    return [
        capture
        for capture in CAPTURES
        if any(
            capture.connector == label.get("connector") or capture.database.name == label.get("database")
            for label in labels
        )
    ]


class Timeline(Protocol):
    """The desk's one call that this needs (incidents/client.py)."""

    def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
        """Move an incident, or add a line to it."""


def repair(
    stack: Stack,
    desk: Timeline,
    incident: str,
    steps: Sequence[Step],
    mitigations: Mapping[str, Mitigation],
    *,
    who: str,
    tell: Callable[[str], None],
) -> list[StepDone]:
    """Run the steps until one fails; gives what was done, the failed one last.

    Raises: InvalidInput for a wrong argument; CouldNotLook where the desk does not answer.
    """
    desk.change(incident, "mitigate", who=who, text=", ".join(step.id for step in steps))
    all_done: list[StepDone] = []
    for step in steps:
        done = run_step(stack, mitigations, step, lambda typed: None)
        all_done.append(done)
        tell(f"{step.id}: {done.outcome.value}, {done.text}")
        desk.change(incident, "note", who=who, kind="action", text=f"{step.id}: {done.outcome.value}, {done.text}")
        if done.outcome is not Outcome.PASSED:
            break
    return all_done
