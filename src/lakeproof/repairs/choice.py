"""Which repair an incident gets: by what its alerts name, and by what was tried for it already."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from lakeproof.arguments import Arguments, OfServer, parse_arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.default_masks import is_health
from lakeproof.diagnosis.diagnosis import Finding
from lakeproof.diagnosis.nouns import NOUNS, Subject, component_of
from lakeproof.errors import InvalidInput
from lakeproof.incidents.kinship import STANDS_ON
from lakeproof.incidents.webhook import NO_SCENARIO
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.probe import Probe
from lakeproof.repairs.running import step_in_words
from lakeproof.stack.components import all_components

# The arguments of a repair that name a source. Each is also a word of the source (nouns.py).
NAMING = ("connector", "database")
# The name of an alert's label → the word of a source, or of a server, that is the label's value.
SOURCE_LABELS = {"connector": "connector", "database": "database", "job_name": "job"}
SERVER_LABELS = {"component": "database"}


def untried(
    findings: Sequence[Finding], incident: Mapping[str, Any], mitigations: Mapping[str, type[Mitigation]]
) -> list[Finding]:
    """The findings whose whole repair was not yet run with success for this incident.

    A finding is left out also where the alert was clear in between: a repair that silences an alert for some minutes
    has not helped. What comes back after an incident was resolved is another incident, with its own timeline.
    Raises: InvalidInput for a wrong argument of a repair.
    """
    ran = [entry["what"] for entry in incident.get("timeline") or () if entry["kind"] == "action"]

    def was_run(step: Step) -> bool:
        arguments = parse_arguments(mitigations[step.id], step.arguments, step.id).model_dump()
        return any(what.startswith(f"{step_in_words(step.id, arguments)}: {Outcome.PASSED.value}") for what in ran)

    return [one for one in findings if not one.cause.repairs or not all(map(was_run, one.cause.repairs))]


def fitting(findings: Sequence[Finding], incident: Mapping[str, Any], probes: Mapping[str, Probe]) -> list[Finding]:
    """The findings that may be repaired for an incident, the likeliest first; none where it is about none of them.

    First come the causes of the connector, database, job or component that the alerts name; then the causes that
    account for what a named component shows; then the causes of the alerts' scenario; last the causes of a component
    on which, as an alert's rule says, its metric stands. Within a group, causes of the scenario or of such a
    component come first, and the order of the diagnosis decides the rest. The diagnosis itself reads no label. An
    incident that names nothing, because a person opened it, may be about any finding.
    """
    about = _about(incident)
    ranked = [(about.rank(one, probes), one) for one in findings]
    return [one for rank, one in sorted(ranked, key=lambda each: each[0] or ()) if rank is not None]


@dataclass(frozen=True)
class _About:
    """What the alerts of an incident are about.

    sources: the sources that a label names. components: the components that a label or the incident itself names.
    beside: further components on which an alert's metric stands. away: components that belong to another source,
    server or node than the named ones.
    """

    sources: Sequence[Subject]
    components: Set[str]
    beside: Set[str]
    away: Set[str | None]
    scenarios: Set[str]

    def rank(self, finding: Finding, probes: Mapping[str, Probe]) -> tuple[int, bool] | None:
        """The finding's place in the order of `fitting`; None where the incident is about something else."""
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
    """The probes whose trouble the cause may account for. Evidence that a healthy stack shows too is no trouble."""
    told = (*finding.cause.alternatives, *finding.cause.supporting)
    ill = {one.probe for one in told if not is_health(one.condition, probes[one.probe])}
    return ill | {*finding.cause.explains, *finding.explains}


def aimed(
    step: Step,
    arguments: type[Arguments],
    incident: Mapping[str, Any],
    there: Sequence[Subject] = NOUNS["sources"],
) -> Step:
    """The step that a person chose, aimed at the source or server that the alerts name unless the person named one.

    there: the sources of this stack now. Raises: InvalidInput where the step must act on one of several sources or
    servers, and neither the alerts nor the person name one. The step's default could be a healthy one, and the repair
    would then claim a success.
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
    """The subjects of the noun that an alert names. words: label → the subject's word that must equal its value."""
    labels: list[Mapping[str, str]] = [alert.get("labels") or {} for alert in incident.get("alerts") or ()]
    return [
        subject
        for subject in NOUNS[noun]
        if any(subject[word] == label.get(name) for label in labels for name, word in words.items())
    ]
