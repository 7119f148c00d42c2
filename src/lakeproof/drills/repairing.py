"""A repair by a person's word: its steps one after another, each told to the incident, the one that breaks too."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.report import StepDone
from lakeproof.drills.steps import run_step
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.scenarios.causes import Step
from lakeproof.stack.stack import Stack


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
