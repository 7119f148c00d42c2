"""Which causes the readings allow. Deterministic and pure: readings and causes in, findings out.

A diagnosis never sees the fault, the truth, the journal or an alert's labels, so it works with Alertmanager stopped.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lakeproof.diagnosis.cause import AnyOf, Cause, Evidence
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.looking import Observation
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Reading


@dataclass(frozen=True)
class Seen:
    """One piece of evidence as it was read.

    condition: what the reading is judged by: a cause's condition, or the healthy range where no cause explains it.
    expected: the healthy range; "" where the probe has none.
    """

    reading: Reading
    condition: str
    expected: str

    def as_json(self) -> dict[str, Any]:
        """The shape of an evidence in the contracts, plus probe, condition and unit."""
        reading = self.reading
        data: dict[str, Any] = {
            "source": reading.source,
            "query": reading.query,
            "value": reading.value,
            "expected": self.expected,
            "at": reading.at.isoformat(),
            "probe": reading.probe,
            "condition": self.condition,
            "unit": reading.unit,
        }
        return data if reading.answered else data | {"error": reading.error}


@dataclass(frozen=True)
class Finding:
    """A cause that holds, with the evidence for it.

    evidence_against: supporting evidence that does not hold, and contradicting evidence whose probe did not answer.
    explains: the probes out of range that the cause accounts for, by itself or through a cause that it masks.
    """

    cause: Cause
    evidence_for: tuple[Seen, ...]
    evidence_against: tuple[Seen, ...]
    explains: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Hidden:
    """A cause that holds and is not named, since a named cause accounts for it, at least for now.

    cause: the id of the hidden cause. by: the id of the best supported named cause that hides it.
    """

    cause: str
    by: str


@dataclass(frozen=True)
class Diagnosis:
    """The causes that hold, the best supported first.

    unknown: readings that are out of range or have no answer, and that none of these causes accounts for. Also the
    unanswered readings that would have decided whether another cause accounts for one of them.
    hidden: the causes that hold and are not named, because a named cause accounts for them.
    """

    findings: tuple[Finding, ...]
    unknown: tuple[Seen, ...]
    hidden: tuple[Hidden, ...] = ()

    @property
    def healthy(self) -> bool:
        """True where nothing is wrong: no cause, and nothing out of range."""
        return not self.findings and not self.unknown

    def others(self, cause: str) -> list[str]:
        """The ids of the other causes that hold: the named ones, then the hidden ones."""
        named = [finding.cause.id for finding in self.findings if finding.cause.id != cause]
        return named + [each.cause for each in self.hidden]

    def as_json(self) -> dict[str, Any]:
        """The shape of `diagnose --json`."""
        return {
            "healthy": self.healthy,
            "causes": [
                {
                    "cause": finding.cause.id,
                    "scenario": finding.cause.scenario,
                    "for": [seen.as_json() for seen in finding.evidence_for],
                    "against": [seen.as_json() for seen in finding.evidence_against],
                    "explains": sorted(finding.explains),
                }
                for finding in self.findings
            ],
            "unknown": [seen.as_json() for seen in self.unknown],
            "hidden": [{"cause": each.cause, "by": each.by} for each in self.hidden],
        }


def diagnose(causes: Iterable[Cause], observations: Mapping[str, Observation]) -> Diagnosis:
    """The causes that the observations allow, first the one that explains the most probes out of range.

    `observations` must hold every probe that the causes ask.
    """
    causes = tuple(causes)
    holding = {cause.id: cause for cause in causes if _holds(cause, observations)}
    amiss = {name: seen for name, seen in sorted(observations.items()) if seen.out_of_range}
    explained = {
        name: frozenset(probe for probe in cause.probes & amiss.keys() if _explains(cause, amiss[probe]))
        for name, cause in holding.items()
    }
    masks: dict[str, set[str]] = {name: {name} for name in holding}
    for name, cause in holding.items():
        for other in _hidden_by(cause, holding):
            masks[other].add(name)
    findings = sorted(
        (
            _finding(cause, observations, frozenset().union(*(explained[other] for other in masks[name])))
            for name, cause in holding.items()
            if not _accounted_for(cause, holding)
        ),
        key=lambda finding: (-len(finding.explains), len(finding.evidence_against), finding.cause.id),
    )
    known = frozenset().union(*explained.values())
    unknown = {
        name: _seen(observation, observation.probe.healthy)
        for name, observation in amiss.items()
        if name not in known
    }
    missed = {
        item.probe: _seen(observations[item.probe], item.condition)
        for cause in causes
        for item in _missed(cause, observations, unknown)
        if item.probe not in amiss
    }
    named = [finding.cause.id for finding in findings]
    hidden = tuple(
        Hidden(name, next(by for by in named if by in _hidden_by(cause, holding)))
        for name, cause in sorted(holding.items())
        if name not in named
    )
    return Diagnosis(tuple(findings), (*unknown.values(), *missed.values()), hidden)


def _missed(cause: Cause, observations: Mapping[str, Observation], unknown: Container[str]) -> Iterable[Evidence]:
    """The unanswered evidence that decides whether this cause accounts for one of the `unknown` readings."""
    found, held = [], []
    for item in cause.necessary:
        true = [one for one in item.alternatives if _true(one, observations)]
        unseen = [one for one in item.alternatives if observations[one.probe].holds(one.condition) is None]
        if not true and not unseen:
            return []
        held += true
        found += unseen if not true else []
    return found if any(one.probe in unknown for one in held) else []


def _explains(cause: Cause, seen: Observation) -> bool:
    """True where the cause accounts for this very answer; that it names the probe is not enough."""
    if seen.probe.id in cause.explains and not (cause.outage and seen.answered and seen.is_steady):
        return True
    told = (one.condition for one in (*cause.alternatives, *cause.supporting) if one.probe == seen.probe.id)
    return any(seen.answered if one.operator is Operator.GROWS else seen.holds(one) for one in told)


def _accounted_for(cause: Cause, holding: Mapping[str, Cause]) -> bool:
    """True where another cause that holds hides this cause. Two causes that hide each other are both named."""
    return any(cause.id not in _hidden_by(holding[other], holding) for other in _hidden_by(cause, holding))


def _hidden_by(cause: Cause, holding: Mapping[str, Cause]) -> set[str]:
    """The ids of all causes that hold and hide this one, directly or through others."""
    found: set[str] = set()
    waiting = list(cause.masked_by)
    while waiting:
        other = waiting.pop()
        if other in holding and other not in found:
            found.add(other)
            waiting += holding[other].masked_by
    return found


def within_reach(causes: Iterable[Cause], asked: Iterable[Probe]) -> list[Cause]:
    """The causes that can be judged by these probes, each without the evidence that only other probes would give.

    A cause is left out where a necessary piece of evidence needs another probe; of a piece's alternatives, one within
    reach is enough. A cause that is `of_all` components stays while two pieces of evidence are left.
    """
    known = {probe.id for probe in asked}

    def reached(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
        return tuple(item for item in evidence if item.probe in known)

    found = []
    for cause in causes:
        left = (reached(item.alternatives) for item in cause.necessary)
        necessary = tuple(AnyOf(some) if len(some) > 1 else some[0] for some in left if some)
        if len(necessary) == len(cause.necessary) or (cause.of_all and len(necessary) > 1):
            supporting, contradicting = reached(cause.supporting), reached(cause.contradicting)
            found.append(replace(cause, necessary=necessary, supporting=supporting, contradicting=contradicting))
    return found


def asked_by(
    causes: Iterable[Cause], probes: Mapping[str, Probe], absent: Container[str] = frozenset()
) -> list[Probe]:
    """Every probe that these causes need or that is always asked, except the probes of `absent` components."""
    wanted = {name for cause in causes for name in cause.asked}
    return [
        probe
        for name, probe in sorted(probes.items())
        if (name in wanted or probe.always) and not probe.is_of(absent)
    ]


def undecided(causes: Iterable[Cause], asked: Iterable[Probe], first: Mapping[str, Reading]) -> set[str]:
    """The probes whose second reading can change the diagnosis, given the first reading of each.

    A condition holds where both readings satisfy it. So a first reading that does not satisfy a condition decides it,
    and a first reading in the healthy range decides that the probe is not out of range. What is left is every probe
    that is out of range, and all evidence of the causes that the first readings allow.
    """
    wanted = {probe.id for probe in asked if Observation(probe, first[probe.id], first[probe.id]).out_of_range}
    for cause in causes:
        if all(any(_possible(one, first) for one in item.alternatives) for item in cause.necessary):
            told = (*cause.alternatives, *cause.supporting, *cause.contradicting)
            wanted |= {evidence.probe for evidence in told if _possible(evidence, first)}
    return wanted


def _possible(evidence: Evidence, first: Mapping[str, Reading]) -> bool:
    """True where the condition can still hold once there is a second reading."""
    reading = first[evidence.probe]
    if evidence.condition.operator is Operator.GROWS:
        return reading.answered
    return evidence.condition.holds(reading, reading) is True


def _holds(cause: Cause, observations: Mapping[str, Observation]) -> bool:
    return all(any(_true(one, observations) for one in item.alternatives) for item in cause.necessary) and not any(
        _true(item, observations) for item in cause.contradicting
    )


def _true(evidence: Evidence, observations: Mapping[str, Observation]) -> bool:
    return observations[evidence.probe].holds(evidence.condition) is True


def _finding(cause: Cause, observations: Mapping[str, Observation], explains: frozenset[str]) -> Finding:
    supporting = [(item, observations[item.probe].holds(item.condition)) for item in cause.supporting]
    necessary = (item for item in cause.alternatives if _true(item, observations))
    holding = (*necessary, *(item for item, held in supporting if held is True))
    # One reading may satisfy two conditions (above, and growing); it is one piece of evidence.
    once = {item.probe: item for item in reversed(holding)}
    unseen = [item for item in cause.contradicting if observations[item.probe].holds(item.condition) is None]
    against = (*(item for item, held in supporting if held is False), *unseen)
    return Finding(
        cause,
        tuple(_seen(observations[item.probe], item.condition) for item in holding if once[item.probe] is item),
        tuple(_seen(observations[item.probe], item.condition) for item in against),
        explains,
    )


def _seen(observation: Observation, condition: Condition | None) -> Seen:
    return Seen(observation.second, str(condition), str(observation.probe.healthy or ""))
