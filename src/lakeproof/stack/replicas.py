"""Further processes of a component: their names, their ports, and how they join the list of components.

Process 1 bears the component's own name; process 2 of connect is connect-2, with ports 100 higher. They are
components like every other, known by name to `ps`, `logs`, `kill` and diagnosis, and run only once asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lakeproof.errors import InvalidInput
from lakeproof.stack.addresses import PROCESSES_MAX
from lakeproof.stack.component import Component


def with_replicas(components: Iterable[Component]) -> list[Component]:
    """The given components, and the further processes of those that may have some.

    A component in `takes_down` is taken down with all its processes: a process that went on would write without
    anybody knowing of it.
    """
    given = list(components)
    made = [_replica(one, number) for one in given for number in _numbers(one)]
    names: dict[str, list[str]] = {}
    for one in made:
        names.setdefault(str(one.replica_of), []).append(one.name)
    return [
        replace(one, takes_down=(*one.takes_down, *(each for down in one.takes_down for each in names.get(down, ()))))
        for one in (*given, *made)
    ]


def _numbers(component: Component) -> range:
    return range(2, PROCESSES_MAX + 1) if component.replicas is not None else range(0)


def _replica(component: Component, number: int) -> Component:
    assert component.replicas is not None
    made = component.replicas.make(number)
    return replace(
        made,
        replica_of=component.name,
        replicas=None,
        uses=tuple(dict.fromkeys((*made.uses, component.name))),
        in_plain_up=False,
    )


def replicas_of(name: str, components: Mapping[str, Component]) -> tuple[str, ...]:
    """The names of the processes 2 and up of a component, in order."""
    return tuple(one.name for one in components.values() if one.replica_of == name)


def family_of(name: str, components: Mapping[str, Component]) -> str:
    """The component that a process belongs to: of connect-2 it is connect."""
    one = components.get(name)
    return one.replica_of or name if one is not None else name


def replicas_for(
    name: str, count: int, components: Mapping[str, Component]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What gives `name` `count` processes in all: (further processes to start, further processes to end).

    Raises: InvalidInput where it cannot have so many; the error says why, and which components can.
    """
    component = components[name]
    can = ", ".join(one.name for one in components.values() if one.replicas is not None)
    if component.replica_of is not None:
        scalable = components[component.replica_of].replicas is not None
        raise InvalidInput(
            f"it is one of the processes of {component.replica_of}",
            where=name,
            next_action=f"lakeproof scale {component.replica_of} {count}"
            if scalable
            else "lakeproof ring scale 3 or 4",
        )
    if count < 1:
        raise InvalidInput("fewer than one is none", where=name, next_action=f"lakeproof stop {name}")
    if component.replicas is None:
        if count == 1:
            return (), ()
        raise InvalidInput(f"it stays one: {component.one_because}", where=name, next_action=f"scale one of {can}")
    if count > PROCESSES_MAX:
        raise InvalidInput(
            f"{count} are too many: a stack on one machine has ports for {PROCESSES_MAX}",
            where=name,
            next_action=f"lakeproof scale {name} {PROCESSES_MAX}",
        )
    further = replicas_of(name, components)
    return further[: count - 1], further[count - 1 :]
