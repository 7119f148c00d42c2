"""The causes of every component (down, hung, unhealthy, restarting), made from the components and their needs.

A component that is probed through a login has two more: it takes no connections yet (starting), and it rejects the
login. Whether a process runs does not depend on what else is wrong. So no other cause masks "down" and "hung", with
two exceptions: a component that is taken down together with another one; and one that keeps ending by itself, which
is down at most looks, and which the supervisor starts again anyway. A component may be unhealthy, or keep ending,
because of a component that it needs: then only the needed one is named.
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
# The states that keep a component from its work now. A component that rejects the diagnosis's own login still works
# for everybody else. One that is restarting may have been up and well for minutes, and is then not the cause of any
# present trouble.
OUTAGES = (DOWN, HUNG, UNHEALTHY, TAKES_NOBODY_IN)
NOTHING_RUNS = "nothing_runs"
# A component that restarted more often than this within the probe's window is restarting: that is no single event.
FEW_RESTARTS = 2


def cause_ids(component: str, states: Iterable[str] = OUTAGES) -> tuple[str, ...]:
    """The ids of a component's causes; by default those in which nothing that stands on the component can work."""
    return tuple(f"{component.replace('-', '_')}_{state}" for state in states)


def _ends_others(component: str) -> tuple[str, ...]:
    """The ids of the component's causes that may make another component unhealthy, or make it end."""
    return cause_ids(component, (*OUTAGES, RESTARTING))


def upstream(components: Mapping[str, Component]) -> dict[str, frozenset[str]]:
    """Component → all components that it cannot work without, directly or through others; never itself.

    A used component counts only where it does not itself need the user: a database does not stand on the exporter
    that measures it.
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
    found = [
        cause
        for name in sorted(alive)
        for cause in _OfComponent(components, name, alive[name], above, probes).causes()
    ]
    if alive:
        found.append(_nothing_runs(alive.values(), probes))
    return found


def shows(probe: Probe, name: str, above: Mapping[str, frozenset[str]]) -> bool:
    """True where trouble of that component may show in what the probe reads."""
    return any(name == each or name in above.get(each, ()) for each in (probe.source, *probe.about))


class _OfComponent:
    """The causes of one component, and what is the same for all of them."""

    def __init__(
        self,
        components: Mapping[str, Component],
        name: str,
        alive: Probe,
        above: Mapping[str, frozenset[str]],
        probes: Mapping[str, Probe],
    ) -> None:
        """alive: the component's liveness probe. above: as `upstream` gives it."""
        one = components[name]
        self.name, self.alive, self.probes = name, alive, probes
        self.ready, self.restarts = f"{name}-ready", f"{name}-restarts"
        # A probe without a healthy range is never out of range, so nothing has to account for it.
        self.explains = tuple(
            sorted(
                probe.id
                for probe in probes.values()
                if probe.healthy is not None
                # Started again, a component that is taken down with this one still waits for this one.
                and (shows(probe, name, above) or probe.source in one.takes_down)
            )
        )
        takers = [other for other, its in components.items() if name in its.takes_down]
        self.taken_down = [cause for taker in takers for cause in cause_ids(taker, (DOWN, HUNG, RESTARTING))]
        self.by_others = sorted(
            {each for other in above[name] for each in _ends_others(other)}.union(self.taken_down)
        )
        self.ending_with_it = {each for other in one.takes_down for each in _ends_others(other)}
        self.afterwards = tuple(_step(each, name) for each in one.after_outage)

    def causes(self) -> Iterable[Cause]:
        """All causes of the component; one without a readiness probe has two more."""
        yield self._down()
        yield self._hung()
        if self.restarts in self.probes:
            yield self._restarting()
        if self.ready not in self.probes:
            yield self._starting()
            yield self._login_rejected()
        yield self._unhealthy()

    def _down(self) -> Cause:
        return self._cause(
            DOWN,
            f"{self.name} không chạy, cổng từ chối kết nối.",
            f"{self.name} is down: its port refuses connections.",
            (self._answer(Operator.IS, REFUSED),),
            supporting=self._not_ready(),
            masked_by=(*self.taken_down, self._id(RESTARTING)),
            repairs=(_step("start_component", self.name), *self.afterwards),
        )

    def _hung(self) -> Cause:
        return self._cause(
            HUNG,
            f"{self.name} bị treo, cổng vẫn nhận kết nối nhưng không trả lời.",
            f"{self.name} hangs: its port accepts, and no answer comes.",
            (self._answer(Operator.IS, SILENT),),
            supporting=self._not_ready(),
            masked_by=self.taken_down,
            repairs=(
                _step("continue_process", self.name),
                _step("start_component", self.name),
                *self.afterwards,
            ),
        )

    def _restarting(self) -> Cause:
        return self._cause(
            RESTARTING,
            f"{self.name} cứ tự dừng rồi lại được khởi động lại; `lakeproof logs {self.name}` cho biết vì sao.",
            f"{self.name} ends by itself again and again and is started each time: `lakeproof logs {self.name}` says "
            "why.",
            (Evidence(self.restarts, Condition(Operator.ABOVE, FEW_RESTARTS)),),
            # The components that this one takes down end because of it, and not the other way round.
            masked_by=[each for each in self.by_others if each not in self.ending_with_it],
        )

    def _starting(self) -> Cause:
        return self._cause(
            TAKES_NOBODY_IN,
            f"{self.name} chạy và đang phục hồi hoặc nạp dữ liệu, nên chưa nhận ai; khởi động lại thì nó làm lại từ "
            f"đầu. Hãy chờ, và xem `lakeproof logs {self.name}`.",
            f"{self.name} runs, and takes nobody in yet: it recovers or loads its data, and would begin that anew "
            f"after a restart. Wait for it; `lakeproof logs {self.name}` says how far it is.",
            (self._answer(Operator.IS, STARTING),),
            masked_by=(self._id(RESTARTING),),
        )

    def _login_rejected(self) -> Cause:
        # Other accounts may still log in, so this cause explains only the component's own probes and masks nothing.
        return self._cause(
            LOGIN_REJECTED,
            f"{self.name} chạy nhưng từ chối đăng nhập của `diagnose`: mật khẩu trong `lakeproof env` không phải mật "
            f"khẩu mà {self.name} biết. Hãy đặt lại mật khẩu đó.",
            f"{self.name} runs, and turns down the login that `diagnose` asks it by: the password that `lakeproof "
            f"env` prints is not the one that {self.name} knows. Set that one there again.",
            (self._answer(Operator.IS, REJECTED),),
            explains=tuple(each for each in self.explains if self.probes[each].source == self.name),
            outage=False,
        )

    def _unhealthy(self) -> Cause:
        necessary = (self._answer(Operator.IS, ANSWERS), *self._not_ready())
        contradicting: tuple[Evidence, ...] = ()
        if self.ready not in self.probes:
            # Without a readiness probe the liveness probe tells health too: the server answers with its own error.
            necessary = (self._answer(Operator.IS_NOT, ANSWERS),)
            contradicting = tuple(self._answer(Operator.IS, word) for word in (REFUSED, SILENT, STARTING, REJECTED))
        return self._cause(
            UNHEALTHY,
            f"{self.name} chạy nhưng không khoẻ, và những gì nó cần thì vẫn tốt.",
            f"{self.name} runs and is not well, and what it needs is.",
            necessary,
            contradicting=contradicting,
            masked_by=(*self.by_others, self._id(RESTARTING)),
            repairs=(_step("restart_component", self.name), *self.afterwards),
        )

    def _answer(self, operator: Operator, word: str) -> Evidence:
        return Evidence(self.alive.id, Condition(operator, word))

    def _not_ready(self) -> tuple[Evidence, ...]:
        return (Evidence(self.ready, Condition(Operator.IS_NOT, "yes")),) if self.ready in self.probes else ()

    def _id(self, state: str) -> str:
        return cause_ids(self.name, (state,))[0]

    def _cause(
        self,
        state: str,
        vi: str,
        en: str,
        necessary: tuple[Evidence, ...],
        *,
        masked_by: Iterable[str] = (),
        repairs: tuple[Step, ...] = (),
        contradicting: tuple[Evidence, ...] = (),
        supporting: tuple[Evidence, ...] = (),
        explains: tuple[str, ...] | None = None,
        outage: bool = True,
    ) -> Cause:
        return Cause(
            id=self._id(state),
            scenario=NO_SCENARIO,
            says={"vi": vi, "en": en},
            necessary=necessary,
            supporting=supporting,
            contradicting=contradicting,
            masked_by=tuple(masked_by),
            explains=self.explains if explains is None else explains,
            repairs=repairs,
            outage=outage,
            subject={"component": self.name},
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
