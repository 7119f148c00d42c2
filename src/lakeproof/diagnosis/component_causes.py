"""Three causes for every component (down, hung, unhealthy), made from the list of components and what they need.

Whether a process runs is its own matter, whatever else is wrong. So no other cause hides "down" and "hung", except
for a component that is taken down together with another one. A component may be unhealthy because of one that it
needs: then only the needed one is named.
"""

from collections.abc import Iterable, Mapping

from lakeproof.diagnosis.cause import Cause, Evidence, Step
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT
from lakeproof.probes.probe import Probe
from lakeproof.stack.component import Component

NO_SCENARIO = "none"
DOWN, HUNG, UNHEALTHY = "down", "hung", "unhealthy"
NOTHING_RUNS = "nothing_runs"


def cause_ids(component: str) -> tuple[str, ...]:
    """The ids of a component's causes."""
    return tuple(f"{component.replace('-', '_')}_{state}" for state in (DOWN, HUNG, UNHEALTHY))


def upstream(components: Mapping[str, Component]) -> dict[str, frozenset[str]]:
    """Component → all components that it cannot do its work without, directly or through others; never itself.

    A component that is only used, and that itself needs the user, is not counted: an exporter that measures a
    database is not what the database stands on.
    """
    needs = {
        name: frozenset((*one.needs, *one.provision_needs)) & components.keys() for name, one in components.items()
    }
    hard = {name: _reachable(name, needs) for name in components}
    edges = {
        name: needs[name]
        | {used for used in one.uses if used in components and name not in hard[used] and used != name}
        for name, one in components.items()
    }
    return {name: _reachable(name, edges) for name in components}


def _reachable(start: str, edges: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges[name]
    return frozenset(found - {start})


def component_causes(components: Mapping[str, Component], probes: Mapping[str, Probe]) -> list[Cause]:
    """Down, hung and unhealthy for each component that `probes` ask; and one cause for when none of them runs."""
    above = upstream(components)
    alive = {probe.source: probe for probe in probes.values() if probe.liveness and probe.source in components}
    found = [cause for name in sorted(alive) for cause in _causes(components, name, alive[name], above, probes)]
    if alive:
        found.append(_nothing_runs(alive.values(), probes))
    return found


def shows(probe: Probe, name: str, above: Mapping[str, frozenset[str]]) -> bool:
    """True where trouble of that component may show in what the probe reads."""
    return any(name == each or name in above.get(each, ()) for each in (probe.source, *probe.about))


def _causes(
    components: Mapping[str, Component],
    name: str,
    alive: Probe,
    above: Mapping[str, frozenset[str]],
    probes: Mapping[str, Probe],
) -> Iterable[Cause]:
    ready = f"{name}-ready"
    # A probe without a healthy range is never out of range, so nothing has to account for it.
    explains = tuple(
        sorted(
            probe.id
            for probe in probes.values()
            if probe.healthy is not None
            # A component that is taken down with this one and started again meanwhile waits for this one.
            and (shows(probe, name, above) or probe.source in components[name].takes_down)
        )
    )
    unwell = (Evidence(ready, Condition(Operator.IS_NOT, "yes")),) if ready in probes else ()
    takers = [other for other, one in components.items() if name in one.takes_down]
    taken = [cause for taker in takers for cause in cause_ids(taker)[:2]]
    down, hung, unhealthy = cause_ids(name)
    start, go_on = _step("start_component", name), _step("continue_process", name)
    afterwards = tuple(_step(each, name) for each in components[name].after_outage)

    def cause(
        id_: str,
        vi: str,
        en: str,
        necessary: tuple[Evidence, ...],
        masked_by: Iterable[str],
        repairs: tuple[Step, ...],
        *,
        contradicting: tuple[Evidence, ...] = (),
    ) -> Cause:
        return Cause(
            id=id_,
            scenario=NO_SCENARIO,
            says={"vi": vi, "en": en},
            necessary=necessary,
            supporting=() if id_ == unhealthy else unwell,
            contradicting=contradicting,
            masked_by=tuple(masked_by),
            explains=explains,
            repairs=repairs,
            outage=True,
            subject={"component": name},
        )

    yield cause(
        down,
        f"{name} không chạy, cổng từ chối kết nối.",
        f"{name} is down: its port refuses connections.",
        (Evidence(alive.id, Condition(Operator.IS, REFUSED)),),
        taken,
        (start, *afterwards),
    )
    yield cause(
        hung,
        f"{name} bị treo, cổng vẫn nhận kết nối nhưng không trả lời.",
        f"{name} hangs: its port accepts, and no answer comes.",
        (Evidence(alive.id, Condition(Operator.IS, SILENT)),),
        taken,
        (go_on, start, *afterwards),
    )
    by_others = sorted({each for other in above[name] for each in cause_ids(other)}.union(taken))
    necessary: tuple[Evidence, ...] = (Evidence(alive.id, Condition(Operator.IS, ANSWERS)), *unwell)
    contradicting: tuple[Evidence, ...] = ()
    if not unwell:
        # Without a second probe, the liveness probe tells this too: the server answers with an error of its own.
        necessary = (Evidence(alive.id, Condition(Operator.IS_NOT, ANSWERS)),)
        contradicting = tuple(Evidence(alive.id, Condition(Operator.IS, word)) for word in (REFUSED, SILENT))
    yield cause(
        unhealthy,
        f"{name} chạy nhưng không khoẻ, và những gì nó cần thì vẫn tốt.",
        f"{name} runs and is not well, and what it needs is.",
        necessary,
        by_others,
        (_step("restart_component", name), *afterwards),
        contradicting=contradicting,
    )


def _nothing_runs(alive: Iterable[Probe], probes: Mapping[str, Probe]) -> Cause:
    asked = sorted(alive, key=lambda probe: probe.source)
    return Cause(
        id=NOTHING_RUNS,
        scenario=NO_SCENARIO,
        says={
            "vi": "Không thành phần nào chạy: cả hệ thống đang tắt.",
            "en": "No component runs: the whole stack is down.",
        },
        necessary=tuple(Evidence(probe.id, Condition(Operator.IS, REFUSED)) for probe in asked),
        supporting=(),
        contradicting=(),
        masked_by=(),
        explains=tuple(sorted(probe.id for probe in probes.values() if probe.healthy is not None)),
        repairs=tuple(_step("start_component", probe.source) for probe in asked),
        of_all=True,
    )


def _step(mitigation: str, component: str) -> Step:
    return Step(mitigation, (("component", component),))
