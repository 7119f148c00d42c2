"""The closure of a target: what it needs, in start order."""

from collections.abc import Iterable, Mapping

from lakeproof.errors import TerminalError
from lakeproof.stack.component import Component
from lakeproof.unknown_name import unknown_name


def closure(targets: Iterable[str], components: Mapping[str, Component]) -> tuple[str, ...]:
    """`targets` and everything they need or use, each after what must be healthy before it starts.

    Raises: InvalidInput for an unknown name, TerminalError for a circle.
    """
    ordered: list[str] = []
    on_the_way: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name in on_the_way:
            raise TerminalError(f"needs itself: {' → '.join([*on_the_way, name])}", where="components")
        if name not in components:
            raise unknown_name("component", name, components)
        on_the_way.append(name)
        for need in (*components[name].needs, *components[name].provision_needs):
            visit(need)
        on_the_way.pop()
        ordered.append(name)

    waiting = list(targets)
    while waiting:
        known = len(ordered)
        visit(waiting.pop(0))
        # Two components may use each other, so `uses` gives no start order: what is used comes after its user.
        waiting += [used for name in ordered[known:] for used in components[name].uses]
    return tuple(ordered)
