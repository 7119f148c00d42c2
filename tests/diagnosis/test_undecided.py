"""A diagnosis with second readings only where they can change it is the diagnosis with second readings everywhere."""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import pytest
from tests.doubles.plugins import OURS

from lakeproof.diagnosis.cause import Cause
from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.diagnosis import Diagnosis, asked_by, diagnose, undecided
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.looking import Observation
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.probes.reading import Reading, Value
from lakeproof.scenarios.folder import scenario_folders

PROBES = all_probes(OURS)
CAUSES = load_causes(PROBES, scenario_folders())
ASKED = asked_by(CAUSES, PROBES)
AT = datetime.now(UTC)
NO_ANSWER = "no answer"


def satisfying(condition: Condition) -> list[Value]:
    """Values that satisfy a condition."""
    bound = condition.value
    number = bound if isinstance(bound, int | float) else 0
    values: Mapping[Operator, list[Value]] = {
        Operator.IS: [bound],
        Operator.IS_NOT: ["something else"],
        Operator.BELOW: [number - 1],
        Operator.ABOVE: [number + 1, number + 2],
        Operator.ABSENT: [None],
        Operator.GROWS: [1, 2, 3],
    }
    return values[condition.operator]


def asked_of(probe: Probe, causes: Iterable[Cause]) -> list[Condition]:
    """Every condition that some cause puts on that probe."""
    told = (each for cause in causes for each in (*cause.alternatives, *cause.supporting, *cause.contradicting))
    return [each.condition for each in told if each.probe == probe.id]


HEALTHY: Mapping[str, Value] = {
    probe.id: satisfying(probe.healthy)[0] if probe.healthy is not None else "none" for probe in ASKED
}
ILL: Mapping[str, list[Value]] = {
    probe.id: [NO_ANSWER, *(value for each in asked_of(probe, CAUSES) for value in satisfying(each))]
    for probe in ASKED
}


def reading(probe: Probe, value: Value) -> Reading:
    if value == NO_ANSWER:
        return Reading(probe.id, None, probe.unit, AT, probe.source, probe.query, NO_ANSWER)
    return Reading(probe.id, value, probe.unit, AT, probe.source, probe.query)


def in_short(found: Diagnosis) -> object:
    """The causes with the evidence for each, and what fits none. (Evidence against may have no second reading.)"""
    return (
        [(each.cause.id, [seen.reading.probe for seen in each.evidence_for]) for each in found.findings],
        [seen.reading.probe for seen in found.unknown],
    )


def test_a_healthy_stack_is_looked_at_once() -> None:
    assert undecided(CAUSES, ASKED, {probe.id: reading(probe, HEALTHY[probe.id]) for probe in ASKED}) == set()


@pytest.mark.parametrize("seed", range(40))
def test_what_is_not_read_again_could_not_have_changed_the_diagnosis(seed: int) -> None:
    """Several probes are ill at the first look, and some of them, or others, at the second."""
    dice = random.Random(seed)
    cause = dice.choice(CAUSES)
    shown = {evidence.probe: satisfying(evidence.condition) for evidence in (*cause.alternatives, *cause.supporting)}
    for name in dice.sample(sorted(ILL), 6):
        shown[name] = ILL[name]
    first, both = {}, {}
    for probe in ASKED:
        values = shown.get(probe.id, [HEALTHY[probe.id]])
        first[probe.id] = reading(probe, dice.choice(values))
        later = HEALTHY[probe.id] if dice.random() < 0.1 else dice.choice(values)
        both[probe.id] = Observation(probe, first[probe.id], reading(probe, later))
    again = undecided(CAUSES, ASKED, first)
    once = {
        name: seen if name in again else Observation(seen.probe, seen.first, seen.first)
        for name, seen in both.items()
    }
    assert in_short(diagnose(CAUSES, once)) == in_short(diagnose(CAUSES, both))
