"""When each step of a component's start ended, and the chain of steps that decided how long a start-up took."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Timeline:
    """One start of one component, in seconds on one monotonic clock; a step not reached is None.

    wanted → (needs healthy) needed → prepared → ready → (provision_needs healthy) provision_began → healthy
    """

    component: str
    needs: tuple[str, ...]
    provision_needs: tuple[str, ...]
    wanted: float
    needed: float | None = None
    prepared: float | None = None
    ready: float | None = None
    provision_began: float | None = None
    healthy: float | None = None


@dataclass(frozen=True)
class Step:
    """One step of the chain. It took `seconds`, and ended `until` seconds after the chain's first part was wanted."""

    component: str
    what: str
    seconds: float
    until: float


WORTH_SHOWING_SECONDS = 0.05


def slow_chain(timelines: Mapping[str, Timeline]) -> list[Step]:
    """The chain of steps, in order of time, that ends with the component that was healthy last.

    The walk goes backwards from that component. Where a component waited for others, the chain goes on with the one
    that became healthy last, else with the component's own steps.
    """
    done = {name: line for name, line in timelines.items() if line.healthy is not None}
    if not done:
        return []
    steps: list[Step] = []

    def add(line: Timeline, what: str, start: float | None, end: float | None) -> None:
        if start is not None and end is not None and end - start >= WORTH_SHOWING_SECONDS:
            steps.append(Step(line.component, what, end - start, end))

    def latest(names: tuple[str, ...], since: float, until: float) -> Timeline | None:
        """The component among `names` that became healthy last, within that time."""
        late = [done[name] for name in names if name in done and since < (done[name].healthy or 0.0) <= until + 0.5]
        return max(late, key=lambda line: line.healthy or 0.0, default=None)

    seen: set[str] = set()
    current: Timeline | None = max(done.values(), key=lambda line: line.healthy or 0.0)
    while current is not None and current.component not in seen:
        line = current
        seen.add(line.component)
        add(line, "provision", line.provision_began, line.healthy)
        if line.ready is not None and line.provision_began is not None:
            blocker = latest(line.provision_needs, line.ready, line.provision_began)
            if blocker is not None and line.provision_began - line.ready >= WORTH_SHOWING_SECONDS:
                current = blocker
                continue
        add(line, "start", line.prepared, line.ready)
        add(line, "prepare", line.needed, line.prepared)
        current = latest(line.needs, line.wanted, line.needed) if line.needed is not None else None
    origin = min(done[name].wanted for name in seen)
    return [replace(step, until=step.until - origin) for step in reversed(steps)]
