"""The one way in which the steps of a repair are run, for a person and for a drill."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakeproof.arguments import parse_arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.errors import LakeproofError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack
from lakeproof.telling import Telling


@dataclass(frozen=True)
class StepDone:
    """One step as it was run. arguments: all of them, with the defaults of those that were not given."""

    action: str
    seconds: float
    outcome: Outcome
    text: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """The step and its arguments."""
        return step_in_words(self.action, self.arguments)


def step_in_words(action: str, arguments: Mapping[str, Any]) -> str:
    """`start_component component=NAME`."""
    return " ".join((action, *(f"{name}={value}" for name, value in arguments.items())))


def run_step(
    stack: Stack,
    mitigations: Mapping[str, type[Mitigation]],
    step: Step,
    tell: Callable[[str], None],
    progress: Callable[[str], None],
) -> StepDone:
    """Tell what a person would type, run the step, and give its outcome. A step that fails raises nothing, even where
    the operating system fails it, as by a full disk: what the step did until then has to be recorded.

    progress: hears what a step that takes long is doing.

    Raises: InvalidInput for a wrong argument.
    """
    mitigation = parse_arguments(mitigations[step.id], step.arguments, step.id)
    tell(mitigation.typed(stack))
    watch = Deadline(float("inf"))
    try:
        what = step_in_words(step.id, step.arguments)
        # A step tells what it does through the logger of the package it lies in: a scenario's folder may be anywhere.
        home = type(mitigation).__module__.rpartition(".")[0]
        with Telling("lakeproof.lake", progress, "", what=what, also={"lakeproof.mitigations", home}):
            text = mitigation.run(stack)
    except LakeproofError as error:
        outcome, text = Outcome.FAILED, error.message
    except OSError as error:
        outcome, text = Outcome.FAILED, str(error) or type(error).__name__
    else:
        outcome = Outcome.PASSED
    return StepDone(step.id, watch.elapsed, outcome, text, mitigation.model_dump())


def mend(
    stack: Stack,
    mitigations: Mapping[str, type[Mitigation]],
    repairs: Sequence[Sequence[Step]],
    tell: Callable[[str], None],
    progress: Callable[[str], None],
    done: Callable[[StepDone], None],
) -> tuple[Outcome, str]:
    """Run the steps of each repair until one step fails. Gives passed, or failed with the reasons.

    `tell` hears what a person would type, `progress` what is under way, `done` what each step came to. A repair that
    two causes share is run once. Where one of several repairs fails, it continues at its failed step once the others
    were run: a connector that is paused and also has a wrong password does not run before both are mended. A step
    that passed is not run again.
    """

    def left(steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], str]:
        """Run the steps. Gives the steps from the failed one on, and why it failed; none where all passed."""
        for at, step in enumerate(steps):
            found = run_step(stack, mitigations, step, tell, progress)
            done(found)
            if found.outcome is not Outcome.PASSED:
                return steps[at:], f"{step.id}: {found.text}"
        return (), ""

    failed = [(steps, "") for steps in dict.fromkeys(tuple(each) for each in repairs) if steps]
    for _ in range(2 if len(failed) > 1 else 1):
        failed = [(rest, why) for rest, why in (left(steps) for steps, _ in failed) if rest]
    return (Outcome.FAILED if failed else Outcome.PASSED), "; ".join(why for _, why in failed)
