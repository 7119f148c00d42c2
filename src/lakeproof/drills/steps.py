"""One step of repair, run and timed. A step that breaks is an outcome, not an error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lakeproof.arguments import parse_arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.drills.phases import Stopwatch
from lakeproof.errors import LakeproofError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.scenarios.causes import Step
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class StepDone:
    """One step as it was run."""

    action: str
    seconds: float
    outcome: Outcome
    text: str


def run_step(
    stack: Stack, mitigations: Mapping[str, Mitigation], step: Step, tell: Callable[[str], None]
) -> StepDone:
    """Say what a person would type, do it, and give what happened. Raises: InvalidInput for a wrong argument."""
    mitigation = mitigations[step.id]
    arguments = parse_arguments(mitigation.arguments, step.arguments, step.id)
    tell(mitigation.typed(stack, arguments))
    watch = Stopwatch()
    try:
        text = mitigation.run(stack, arguments)
    except LakeproofError as error:
        return StepDone(step.id, watch.seconds, Outcome.FAILED, error.message)
    return StepDone(step.id, watch.seconds, Outcome.PASSED, text)
