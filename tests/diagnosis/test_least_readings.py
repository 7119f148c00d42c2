"""Every cause that is loaded, by the least readings that make it hold, alone and beside each other cause."""

from collections import ChainMap
from collections.abc import Mapping
from functools import cache
from itertools import combinations, product

import pytest
from tests.diagnosis.least_readings import CAUSES, NEEDING, USUAL, Way, least, unruled, ways

from lakeproof.diagnosis.cause import Cause, Evidence
from lakeproof.diagnosis.diagnosis import Diagnosis, diagnose
from lakeproof.probes.looking import Observation


def holds(item: Evidence, seen: Mapping[str, Observation]) -> bool:
    return seen[item.probe].holds(item.condition) is True


def look(changed: Mapping[str, Observation]) -> Diagnosis:
    return diagnose(list(CAUSES.values()), {**USUAL, **changed})


def named(found: Diagnosis) -> set[str]:
    return {finding.cause.id for finding in found.findings}


def test_the_usual_readings_are_healthy() -> None:
    assert look({}).as_json() == {"healthy": True, "causes": [], "unknown": [], "hidden": []}


WAYS = [(name, way) for name in sorted(CAUSES) for way in ways(CAUSES[name])]


@pytest.mark.parametrize(("name", "way"), WAYS, ids=[f"{name}-{at}" for at, (name, _) in enumerate(WAYS)])
def test_the_least_readings_of_a_cause_name_it_and_no_other(name: str, way: Way) -> None:
    """By each of its alternatives alone."""
    readings = least(way)
    assert readings is not None, "its own necessary evidence cannot hold at once"
    found = look(unruled(CAUSES[name], readings))
    assert named(found) == {name}
    assert found.unknown == ()


@cache
def pairs() -> list[tuple[Cause, Cause, dict[str, Observation]]]:
    """Every two causes that can hold at once, with the least readings of both, by each alternative."""
    found = []
    for one, other in combinations(CAUSES.values(), 2):
        for both in product(ways(one), ways(other)):
            readings = least(*both)
            if readings is None:
                continue
            if not any(holds(item, USUAL | readings) for cause in (one, other) for item in cause.contradicting):
                found.append((one, other, readings))
    return found


def named_of(changed: Mapping[str, Observation]) -> set[str]:
    """As `named(look(changed))`, in a tenth of the time: no cause holds by the usual readings alone, so only the
    causes are judged of whose necessary evidence something changed.
    """
    judged = [cause for name in changed for cause in NEEDING.get(name, ())]
    causes = list({cause.id: cause for cause in judged}.values())
    asked = {
        item.probe for cause in causes for item in (*cause.alternatives, *cause.supporting, *cause.contradicting)
    }
    return named(diagnose(causes, {**{name: USUAL[name] for name in asked}, **changed}))


def hides(by: Cause, other: Cause, readings: Mapping[str, Observation]) -> bool:
    """Directly, or through a cause that these readings make hold as well: an emptied node is a node that is down."""
    seen = ChainMap(dict(readings), USUAL)
    through = [
        cause.id
        for cause in CAUSES.values()
        if by.id in cause.masked_by
        and all(any(holds(one, seen) for one in item.alternatives) for item in cause.necessary)
    ]
    return not {by.id, *through}.isdisjoint(other.masked_by)


def test_each_pair_names_both_or_the_one_that_masks_the_other() -> None:
    wrong = []
    for one, other, readings in pairs():
        hidden = {
            hidden.id
            for hidden, by in ((one, other), (other, one))
            if hides(by, hidden, readings) and not hides(hidden, by, readings)
        }
        wanted = {one.id, other.id} - hidden
        if (found := named_of(readings)) != wanted:
            wrong.append(f"{one.id} and {other.id}: named {sorted(found)}, not {sorted(wanted)}")
    assert not wrong, "\n".join([f"{len(wrong)} pairs", *wrong[:20]])


def test_judging_only_what_changed_names_the_same() -> None:
    for _, _, readings in pairs()[::97]:
        assert named_of(readings) == named(look(readings))
