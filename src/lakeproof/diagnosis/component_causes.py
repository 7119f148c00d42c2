"""The causes of every component (down, hung, unhealthy, restarting), made from the list of components and what they
need. One that is asked by a login has two more: it takes nobody in yet (starting), and it turns that login down.

Whether a process runs is its own matter, whatever else is wrong. So no other cause hides "down" and "hung", except
for a component that is taken down together with another one, and one that ends again and again: that one is down at
most looks, and the supervisor starts it already. A component may be unhealthy, or end by itself, because of one that
it needs: then only the needed one is named.
"""

from collections.abc import Iterable, Mapping

from lakeproof.diagnosis.cause import Cause, Evidence, Step
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, REJECTED, SILENT, STARTING
from lakeproof.probes.probe import Probe
from lakeproof.stack.component import Component

NO_SCENARIO = "none"
DOWN, HUNG, UNHEALTHY, RESTARTING = "down", "hung", "unhealthy", "restarting"
TAKES_NOBODY_IN, LOGIN_REJECTED = "starting", "login_rejected"
# What keeps a component from its work. One that turns the diagnosis's own login down works for everybody else.
OUTAGES = (DOWN, HUNG, UNHEALTHY, RESTARTING, TAKES_NOBODY_IN)
NOTHING_RUNS = "nothing_runs"
# So many restarts within the probe's window are no single event.
FEW_RESTARTS = 2


def cause_ids(component: str, states: Iterable[str] = OUTAGES) -> tuple[str, ...]:
    """The ids of a component's causes by which whatever stands on it cannot do its work either."""
    return tuple(f"{component.replace('-', '_')}_{state}" for state in states)


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
    """The causes of each component that `probes` ask; and one cause for when none of them runs."""
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
    ready, restarts = f"{name}-ready", f"{name}-restarts"
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
    taken = [cause for taker in takers for cause in cause_ids(taker, (DOWN, HUNG, RESTARTING))]
    by_others = sorted({each for other in above[name] for each in cause_ids(other)}.union(taken))
    ending_with_it = {each for other in components[name].takes_down for each in cause_ids(other)}
    down, hung, unhealthy, restarting, starting, login_rejected = cause_ids(name, (*OUTAGES, LOGIN_REJECTED))
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
        supporting: tuple[Evidence, ...] = (),
        explained: tuple[str, ...] = explains,
    ) -> Cause:
        return Cause(
            id=id_,
            scenario=NO_SCENARIO,
            says={"vi": vi, "en": en},
            necessary=necessary,
            supporting=supporting,
            contradicting=contradicting,
            masked_by=tuple(masked_by),
            explains=explained,
            repairs=repairs,
            outage=id_ != login_rejected,
            subject={"component": name},
        )

    yield cause(
        down,
        f"{name} không chạy, cổng từ chối kết nối.",
        f"{name} is down: its port refuses connections.",
        (Evidence(alive.id, Condition(Operator.IS, REFUSED)),),
        (*taken, restarting),
        (start, *afterwards),
        supporting=unwell,
    )
    yield cause(
        hung,
        f"{name} bị treo, cổng vẫn nhận kết nối nhưng không trả lời.",
        f"{name} hangs: its port accepts, and no answer comes.",
        (Evidence(alive.id, Condition(Operator.IS, SILENT)),),
        taken,
        (go_on, start, *afterwards),
        supporting=unwell,
    )
    if restarts in probes:
        yield cause(
            restarting,
            f"{name} cứ tự dừng rồi lại được khởi động lại; `lakeproof logs {name}` cho biết vì sao.",
            f"{name} ends by itself again and again and is started each time: `lakeproof logs {name}` says why.",
            (Evidence(restarts, Condition(Operator.ABOVE, FEW_RESTARTS)),),
            # What it takes down itself ends because of it, and not the other way round.
            [each for each in by_others if each not in ending_with_it],
            (),
        )
    necessary: tuple[Evidence, ...] = (Evidence(alive.id, Condition(Operator.IS, ANSWERS)), *unwell)
    contradicting: tuple[Evidence, ...] = ()
    if not unwell:
        # Without a second probe, the liveness probe tells this too: the server answers with an error of its own.
        necessary = (Evidence(alive.id, Condition(Operator.IS_NOT, ANSWERS)),)
        told = (REFUSED, SILENT, STARTING, REJECTED)
        contradicting = tuple(Evidence(alive.id, Condition(Operator.IS, word)) for word in told)
        yield cause(
            starting,
            f"{name} chạy và đang phục hồi hoặc nạp dữ liệu, nên chưa nhận ai; khởi động lại thì nó làm lại từ đầu. "
            f"Hãy chờ, và xem `lakeproof logs {name}`.",
            f"{name} runs, and takes nobody in yet: it recovers or loads its data, and would begin that anew after a "
            f"restart. Wait for it; `lakeproof logs {name}` says how far it is.",
            (Evidence(alive.id, Condition(Operator.IS, STARTING)),),
            (restarting,),
            (),
        )
        # The other accounts may log in: this accounts for what it was asked itself, and hides nothing.
        yield cause(
            login_rejected,
            f"{name} chạy nhưng từ chối đăng nhập của `diagnose`: mật khẩu trong `lakeproof env` không phải mật khẩu "
            f"mà {name} biết. Hãy đặt lại mật khẩu đó.",
            f"{name} runs, and turns down the login that `diagnose` asks it by: the password that `lakeproof env` "
            f"prints is not the one that {name} knows. Set that one there again.",
            (Evidence(alive.id, Condition(Operator.IS, REJECTED)),),
            (),
            (),
            explained=tuple(each for each in explains if probes[each].source == name),
        )
    yield cause(
        unhealthy,
        f"{name} chạy nhưng không khoẻ, và những gì nó cần thì vẫn tốt.",
        f"{name} runs and is not well, and what it needs is.",
        necessary,
        (*by_others, restarting),
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
