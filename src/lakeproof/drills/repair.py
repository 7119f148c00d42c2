"""Repairs: the one way in which a drill or a person runs steps of repair, and which repair an incident gets."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

from lakeproof.arguments import Arguments, OfServer, parse_arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.default_masks import is_health
from lakeproof.diagnosis.diagnosis import Finding
from lakeproof.diagnosis.nouns import NOUNS, Subject, component_of
from lakeproof.drills.journal import Stopwatch
from lakeproof.drills.report import StepDone, step_in_words
from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.incidents.client import PATIENCE_SECONDS, new_key, until_kept
from lakeproof.incidents.kinship import STANDS_ON
from lakeproof.incidents.webhook import NO_SCENARIO
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.probe import Probe
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack
from lakeproof.telling import Telling

# The words of a source that an argument of a repair names it by.
NAMING = ("connector", "database")
# The word of a source, or of a server, that an alert's label holds, by the label's name.
SOURCE_LABELS = {"connector": "connector", "database": "database", "job_name": "job"}
SERVER_LABELS = {"component": "database"}


def run_step(
    stack: Stack,
    mitigations: Mapping[str, Mitigation],
    step: Step,
    tell: Callable[[str], None],
    progress: Callable[[str], None],
) -> StepDone:
    """Tell what a person would type, do that, and give what happened. A step that breaks is an outcome, no error.

    progress: hears what a step that takes long is doing.

    Raises: InvalidInput for a wrong argument.
    """
    mitigation = mitigations[step.id]
    arguments = parse_arguments(mitigation.arguments, step.arguments, step.id)
    tell(mitigation.typed(stack, arguments))
    watch = Stopwatch()
    try:
        with Telling("lakeproof.lake", progress, ""):
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
    progress: Callable[[str], None],
    done: Callable[[StepDone], None],
) -> tuple[Outcome, str]:
    """Run the steps of each repair until one step fails. Gives passed, or failed with the reasons.

    `tell` hears what a person would type, `progress` what is under way, `done` what each step came
    to. Two causes with the same repair get it once.
    Of several repairs, those that failed go on at the failed step once the others were run: a connector that is
    paused and also has a wrong password does not run before both are mended. A step that went well is not run again.
    """

    def left(steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], str]:
        """The steps from the one that fails, and why it does; none where all went well."""
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


def untried(
    findings: Sequence[Finding], incident: Mapping[str, Any], mitigations: Mapping[str, Mitigation]
) -> list[Finding]:
    """The findings but those whose whole repair was run for this incident, and which the stack shows all the same.

    Also where the alert was clear in between: a repair that silences an alert for some minutes has not helped, and
    what comes back after an incident was resolved is another incident, with a timeline of its own.
    Raises: InvalidInput for a wrong argument of a repair.
    """
    ran = [entry["what"] for entry in incident.get("timeline") or () if entry["kind"] == "action"]

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
        """Tell it to the desk, which is waited for at the first line that it does not take, once for each outage.

        Raises nothing: the step was run, and the next one is not to depend on the desk.
        """
        patience_seconds = 0.0 if self._waiting else self._patience_seconds
        self._waiting.append(line)
        try:
            until_kept(self._send, self._tell, patience_seconds)
        except LakeproofError as error:
            # Its next step would be the whole command once more, the repair included.
            self._tell(f"not told to {self._incident}: {error.what}")

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
    mend(stack, mitigations, [steps], lambda typed: None, tell, done)
    return all_done, lines.lost


def fitting(findings: Sequence[Finding], incident: Mapping[str, Any], probes: Mapping[str, Probe]) -> list[Finding]:
    """The findings that may be repaired for an incident, the likeliest first; none where it is about none of them.

    First come the causes of the very connector, database, job or component that its alerts name; then those that
    account for what a named component shows; then those of its scenario; at last those of a component on which an
    alert's rule says that its metric stands. Between two of one kind, a cause of the scenario or of such a component
    comes first, and else the one that the diagnosis names first. The diagnosis itself reads no label. An incident
    that names nothing, since a person opened it, may be about any finding.
    """
    about = _about(incident)
    ranked = [(about.rank(one, probes), one) for one in findings]
    return [one for rank, one in sorted(ranked, key=lambda each: each[0] or ()) if rank is not None]


@dataclass(frozen=True)
class _About:
    """What the alerts of an incident are about.

    sources: those that a label names. components: those that a label names, or the incident itself. beside: further
    components on which an alert's metric stands. away: components of another source, server or node than these.
    """

    sources: Sequence[Subject]
    components: Set[str]
    beside: Set[str]
    away: Set[str | None]
    scenarios: Set[str]

    def rank(self, finding: Finding, probes: Mapping[str, Probe]) -> tuple[int, bool] | None:
        """Where it comes among the findings, as `fitting` tells; None where the incident is about something else."""
        subject = finding.cause.subject
        component = component_of(subject)
        named = subject in self.sources or component in self.components
        if not named and (component in self.away or (self.sources and "source" in subject)):
            return None
        shown = (probes[name] for name in _troubles(finding, probes))
        of_scenario, stands_on = finding.cause.scenario in self.scenarios, component in self.beside
        kinds = (
            named,
            any({one.source, one.within} & self.components for one in shown),
            of_scenario,
            stands_on or not (self.sources or self.components or self.scenarios),
        )
        return (kinds.index(True), not (of_scenario or stands_on)) if True in kinds else None


def _about(incident: Mapping[str, Any]) -> _About:
    alerts = incident.get("alerts") or ()
    labels: list[Mapping[str, str]] = [alert.get("labels") or {} for alert in alerts]
    sources = _named(incident, "sources", SOURCE_LABELS)
    own = _words(sources)
    away = set[str | None](_words(NOUNS["sources"]) - own if sources else ())
    # A person may have written anything as the service of an incident.
    service = {str(incident.get("service"))} & all_components().keys()
    components = {label["component"] for label in labels if label.get("component")} | service
    told = " ".join((alert.get("annotations") or {}).get(STANDS_ON, "") for alert in alerts)
    beside = set(told.split()) - away
    for noun in ("databases", "nodes"):
        kind = {component_of(one) for one in NOUNS[noun]}
        near = kind & (components | beside)
        away |= kind - near if near else set()
    scenarios = {*(label.get("scenario", "") for label in labels), str(incident.get("scenario") or "")} - NO_SCENARIO
    return _About(sources, components, beside, away, scenarios)


def _words(sources: Iterable[Subject]) -> set[str]:
    return {word for source in sources for word in source.values() if word}


def _troubles(finding: Finding, probes: Mapping[str, Probe]) -> set[str]:
    """The probes whose trouble the cause may account for; its evidence that a healthy stack shows as well is none."""
    told = (*finding.cause.alternatives, *finding.cause.supporting)
    ill = {one.probe for one in told if not is_health(one.condition, probes[one.probe])}
    return ill | {*finding.cause.explains, *finding.explains}


def aimed(
    step: Step,
    arguments: type[Arguments],
    incident: Mapping[str, Any],
    there: Sequence[Subject] = NOUNS["sources"],
) -> Step:
    """A step that a person chose; where the person named no source, or no server, it acts on the one that the alerts
    name.

    there: the sources of this stack now. Raises: InvalidInput where the step must act on one of several sources or
    servers, and neither the alerts nor the person name one. The step's default could be well, and the repair would
    then claim a success.
    """
    if issubclass(arguments, OfServer):
        named, there = _named(incident, "databases", SERVER_LABELS), NOUNS["databases"]
    else:
        named = _named(incident, "sources", SOURCE_LABELS)
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


def _named(incident: Mapping[str, Any], noun: str, words: Mapping[str, str]) -> list[Subject]:
    """The subjects of the noun that an alert names: by a label of `words`, which gives the subject's word."""
    labels: list[Mapping[str, str]] = [alert.get("labels") or {} for alert in incident.get("alerts") or ()]
    return [
        subject
        for subject in NOUNS[noun]
        if any(subject[word] == label.get(name) for label in labels for name, word in words.items())
    ]
