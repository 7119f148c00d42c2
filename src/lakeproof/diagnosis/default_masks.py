"""Which components mask a cause that names none: those whose trouble may bring about all of its evidence.

A job fails where the object store is down, so "the job keeps restarting" is no finding of its own there. No trouble
of a component pauses a connector, so "the connector is paused" is a finding whatever else is wrong.
"""

from collections.abc import Iterable, Mapping

from lakeproof.diagnosis.cause import AnyOf, Evidence
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe


def masking_components(
    necessary: Iterable[Evidence | AnyOf], probes: Mapping[str, Probe], above: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """The components whose trouble may bring about every necessary piece of evidence.

    A piece may come from its probe's source, from a component on which this source stands, or from Probe.about.
    Evidence that a healthy stack shows as well is skipped. No component masks the cause where a piece tells whether a
    process runs, or comes only from somebody's act (Probe.steady). above: component → all that it stands on.
    """
    found: list[frozenset[str]] = []
    for item in necessary:
        ill = [one for one in item.alternatives if not is_health(one.condition, probes[one.probe])]
        asked = [probes[one.probe] for one in ill]
        if any(_is_steady(one.condition, probe) for one, probe in zip(ill, asked, strict=True)):
            return frozenset()
        if asked:
            found.append(frozenset(name for each in asked for name in _stands_on(each, above)))
    return frozenset.intersection(*found) if found else frozenset()


def _stands_on(probe: Probe, above: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset((probe.source, *probe.about)) | above.get(probe.source, frozenset())


def is_health(condition: Condition, probe: Probe) -> bool:
    """True where every answer of a healthy stack satisfies the condition: such evidence tells of no trouble."""
    return probe.healthy is not None and probe.healthy.implies(condition)


def _is_steady(condition: Condition, probe: Probe) -> bool:
    if probe.liveness or probe.steady is True:
        return True
    told = condition.operator in (Operator.IS, Operator.ABSENT)
    return told and probe.is_steady(condition.value)
