"""Readings made from the causes' own evidence: what is usual, and the least that makes a cause hold.

A cause in a new folder is tested by them with no other edit.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product

from tests.doubles.plugins import OURS

from lakeproof.diagnosis.cause import Cause, Evidence
from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.diagnosis import asked_by
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.looking import Observation
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.probes.reading import Reading, Value
from lakeproof.scenarios.folder import scenario_folders

PROBES = all_probes(OURS)
CAUSES = {cause.id: cause for cause in load_causes(PROBES, scenario_folders())}
ASKED = asked_by(CAUSES.values(), PROBES)
AT = datetime(2026, 11, 26, tzinfo=UTC)

# What a probe reads twice.
Pair = tuple[Value, Value]


def observed(name: str, pair: Pair) -> Observation:
    probe = PROBES[name]
    first, second = (
        Reading(name, value, probe.unit, at, probe.source, probe.query)
        for value, at in zip(pair, (AT, AT + timedelta(seconds=2)), strict=True)
    )
    return Observation(probe, first, second)


def candidates(conditions: list[Condition]) -> list[Pair]:
    """Readings of which one should satisfy all of these conditions: their own values, and those just beside them."""
    values: list[Value] = ["something else", 0.0, None]
    for condition in conditions:
        if condition.operator in (Operator.ABOVE, Operator.BELOW):
            assert isinstance(condition.value, int | float)
            step = 0.01 if condition.operator is Operator.ABOVE else -0.01
            values += [condition.value + step]
        elif condition.operator is not Operator.GROWS:
            values += [condition.value]
    still: list[Pair] = [(value, value) for value in values]
    growing: list[Pair] = [(value, value + 0.001) for value in values if isinstance(value, int | float)]
    return [*still, *growing]


def conditions_on(probe: str) -> list[Condition]:
    return [
        item.condition
        for cause in CAUSES.values()
        for item in (*cause.alternatives, *cause.contradicting)
        if item.probe == probe
    ]


def usual(probe: Probe) -> Pair:
    """What it reads where nothing is wrong: in its healthy range, and of as few causes as can be the evidence."""
    healthy = [] if probe.healthy is None else [probe.healthy]
    told = conditions_on(probe.id)
    fitting = [
        pair for pair in candidates([*healthy, *told]) if all(observed(probe.id, pair).holds(one) for one in healthy)
    ]
    return min(fitting, key=lambda pair: sum(observed(probe.id, pair).holds(one) is True for one in told))


NEEDING: dict[str, list[Cause]] = {}
for each in CAUSES.values():
    for probe_id in {item.probe for item in each.alternatives}:
        NEEDING.setdefault(probe_id, []).append(each)
USUAL = {probe.id: observed(probe.id, usual(probe)) for probe in ASKED}


# One way in which a cause can hold: of each entry of its necessary evidence, one alternative.
Way = tuple[Evidence, ...]


def ways(cause: Cause) -> list[Way]:
    return list(product(*(item.alternatives for item in cause.necessary)))


def least(*taken: Way) -> dict[str, Observation] | None:
    """The readings that all of this evidence asks for; None where it cannot hold at once."""
    asked: dict[str, set[Condition]] = {}
    for way in taken:
        for item in way:
            asked.setdefault(item.probe, set()).add(item.condition)
    found = {}
    for name, wanted in asked.items():
        if (reading := satisfying(name, frozenset(wanted))) is None:
            return None
        found[name] = reading
    return found


def unruled(cause: Cause, readings: dict[str, Observation]) -> dict[str, Observation]:
    """The same, with no answer where what is usual rules the cause out: nothing else can be told from it."""
    ruling = {item.probe for item in cause.contradicting if USUAL[item.probe].holds(item.condition) is True}
    silent = {name: PROBES[name].reading(None, "no answer") for name in ruling - readings.keys()}
    return readings | {name: Observation(PROBES[name], none, none) for name, none in silent.items()}


@cache
def satisfying(name: str, wanted: frozenset[Condition]) -> Observation | None:
    """Of the readings that satisfy all of it, those of which the fewest causes are told; None where none does."""
    told = conditions_on(name)
    seen = [observed(name, pair) for pair in candidates(sorted(wanted, key=str))]
    fitting = [one for one in seen if all(one.holds(condition) is True for condition in wanted)]
    return min(fitting, key=lambda one: sum(one.holds(condition) is True for condition in told), default=None)
