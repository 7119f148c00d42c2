"""Repairs: the one way in which a drill or a person runs steps of repair, and which repair an incident gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lakeproof.arguments import Arguments, parse_arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.diagnosis import Finding
from lakeproof.diagnosis.nouns import NOUNS, Subject
from lakeproof.drills.journal import Stopwatch
from lakeproof.drills.report import StepDone, step_in_words
from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.incidents.client import PATIENCE_SECONDS, new_key, until_kept
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack

# The words of a source that an alert's label, or an argument of a repair, names it by.
NAMING = ("connector", "database")


def run_step(
    stack: Stack, mitigations: Mapping[str, Mitigation], step: Step, tell: Callable[[str], None]
) -> StepDone:
    """Tell what a person would type, do that, and give what happened. A step that breaks is an outcome, no error.

    Raises: InvalidInput for a wrong argument.
    """
    mitigation = mitigations[step.id]
    arguments = parse_arguments(mitigation.arguments, step.arguments, step.id)
    tell(mitigation.typed(stack, arguments))
    watch = Stopwatch()
    try:
        text = mitigation.run(stack, arguments)
    except LakeproofError as error:
        outcome, text = Outcome.FAILED, error.message
    else:
        outcome = Outcome.PASSED
    return StepDone(step.id, watch.seconds, outcome, text, arguments.model_dump())


def mend(
    stack: Stack,
    mitigations: Mapping[str, Mitigation],
    repairs: Sequence[Sequence[Step]],
    tell: Callable[[str], None],
    done: Callable[[StepDone], None],
) -> tuple[Outcome, str]:
    """Run the steps of each repair until one step fails. Gives passed, or failed with the reasons.

    `tell` hears what a person would type, `done` what each step came to. Two causes with the same repair get it once.
    Of several repairs, those that failed go on at the failed step once the others were run: a connector that is
    paused and also has a wrong password does not run before both are mended. A step that went well is not run again.
    """

    def left(steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], str]:
        """The steps from the one that fails, and why it does; none where all went well."""
        for at, step in enumerate(steps):
            found = run_step(stack, mitigations, step, tell)
            done(found)
            if found.outcome is not Outcome.PASSED:
                return steps[at:], f"{step.id}: {found.text}"
        return (), ""

    failed = [(steps, "") for steps in dict.fromkeys(tuple(each) for each in repairs) if steps]
    for _ in range(2 if len(failed) > 1 else 1):
        failed = [(rest, why) for rest, why in (left(steps) for steps, _ in failed) if rest]
    return (Outcome.FAILED if failed else Outcome.PASSED), "; ".join(why for _, why in failed)


def untried(
    findings: Sequence[Finding], incident: Mapping[str, Any], mitigations: Mapping[str, Mitigation]
) -> list[Finding]:
    """The findings but those whose whole repair was run for this incident, and which the stack shows all the same.

    What was run before the newest of the alerts began was for an earlier trouble: it may have helped then.
    Raises: InvalidInput for a wrong argument of a repair.
    """
    newest = max((str(alert["starts_at"]) for alert in incident.get("alerts") or ()), default="")
    ran = [
        entry["what"]
        for entry in incident.get("timeline") or ()
        if entry["kind"] == "action" and str(entry["at"]) > newest
    ]

    def was_run(step: Step) -> bool:
        arguments = parse_arguments(mitigations[step.id].arguments, step.arguments, step.id).model_dump()
        return any(what.startswith(f"{step_in_words(step.id, arguments)}: {Outcome.PASSED.value}") for what in ran)

    return [one for one in findings if not one.cause.repairs or not all(map(was_run, one.cause.repairs))]


class Timeline(Protocol):
    """The desk's one call that a person's repair needs (incidents/client.py)."""

    def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
        """Move an incident, or add a line to its timeline."""


@dataclass(frozen=True)
class Line:
    """What a step came to, as the incident's timeline tells it. key: the desk keeps it once (incidents/client.py)."""

    step: StepDone
    key: str

    @property
    def text(self) -> str:
        """The step in words, its outcome, and what was found."""
        return f"{self.step.in_words}: {self.step.outcome.value}, {self.step.text}"


class _Lines:
    """The lines of one repair. While the desk is away they wait here, and go with the next one in their order."""

    def __init__(
        self, desk: Timeline, incident: str, who: str, tell: Callable[[str], None], patience_seconds: float
    ) -> None:
        self._desk, self._incident, self._who, self._tell = desk, incident, who, tell
        self._patience_seconds = patience_seconds
        self._waiting: list[Line] = []
        self._refused: list[Line] = []

    @property
    def lost(self) -> list[Line]:
        """What is not known to stand in the timeline."""
        return self._refused + self._waiting

    def add(self, line: Line) -> None:
        """Tell it to the desk, which is waited for at the first line that it does not take, and at no later one.

        Raises nothing: the step was run, and the next one is not to depend on the desk.
        """
        patience_seconds = 0.0 if self._waiting else self._patience_seconds
        self._waiting.append(line)
        try:
            until_kept(self._send, self._tell, patience_seconds)
        except LakeproofError as error:
            self._tell(f"not told to {self._incident}: {error.message}")

    def _send(self) -> None:
        while self._waiting:
            line = self._waiting[0]
            try:
                self._desk.change(self._incident, "note", who=self._who, kind="action", text=line.text, key=line.key)
            except InvalidInput as error:
                self._refused.append(line)
                self._tell(f"not told to {self._incident}: {error.message}")
            del self._waiting[0]


def repair(
    stack: Stack,
    desk: Timeline,
    incident: str,
    steps: Sequence[Step],
    mitigations: Mapping[str, Mitigation],
    *,
    who: str,
    tell: Callable[[str], None],
    patience_seconds: float = PATIENCE_SECONDS,
) -> tuple[list[StepDone], list[Line]]:
    """A repair by a person's word: run the steps until one fails, and tell each to the incident, the failed one too.

    Gives what each step came to, and the lines that the desk did not take. A desk that goes away once a step was run
    is waited for, once, for `patience_seconds`; then the further steps run all the same, and the lines go with the
    first one that it takes again.
    Raises: InvalidInput for a wrong argument; CouldNotLook where the desk does not answer before the first step.
    """
    all_done: list[StepDone] = []
    lines = _Lines(desk, incident, who, tell, patience_seconds)

    def done(step: StepDone) -> None:
        all_done.append(step)
        line = Line(step, new_key())
        tell(line.text)
        lines.add(line)

    desk.change(incident, "mitigate", who=who, text=", ".join(step.id for step in steps))
    mend(stack, mitigations, [steps], lambda typed: None, done)
    return all_done, lines.lost


def fitting(findings: Sequence[Finding], incident: Mapping[str, Any]) -> Finding:
    """Which of several findings to repair for an incident: the first one about the source that its alerts name.

    The diagnosis itself reads no label. Where the alerts name no source, or one that no finding is about, the best
    supported finding is taken.
    """
    named = _named(incident)
    if not named:
        return findings[0]
    order = [one.cause.subject in named if one.cause.subject else None for one in findings]
    return next(findings[order.index(wanted)] for wanted in (True, None, False) if wanted in order)


def aimed(
    step: Step,
    arguments: type[Arguments],
    incident: Mapping[str, Any],
    there: Sequence[Subject] = NOUNS["sources"],
) -> Step:
    """A step that a person chose; where the person named no source, it acts on the one that the alerts name.

    there: the sources of this stack now. Raises: InvalidInput where the step must act on one of several sources,
    and neither the alerts nor the person name one. The step's default source could be well, and the repair would
    then claim a success.
    """
    named = _named(incident)
    asked = [name for name in NAMING if name in arguments.model_fields]
    if len(named) != 1:
        if asked and len(there) > 1 and not step.arguments.keys() & asked:
            raise InvalidInput(
                f"the incident's alerts do not say which {asked[0]} it is about",
                where=step.id,
                next_action=" or ".join(f"--arg {asked[0]}={subject[asked[0]]}" for subject in there),
            )
        return step
    missing = {name: named[0][name] for name in asked}
    return Step(step.id, tuple(sorted((missing | step.arguments).items())))


def _named(incident: Mapping[str, Any]) -> list[Subject]:
    labels: list[Mapping[str, str]] = [alert.get("labels") or {} for alert in incident.get("alerts") or ()]
    return [
        subject
        for subject in NOUNS["sources"]
        if any(subject[name] == label.get(name) for label in labels for name in NAMING)
    ]
