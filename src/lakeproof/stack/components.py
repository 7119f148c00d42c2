"""The list of components: every `COMPONENTS` tuple in stack/engines/ and stack/services/, and what `scale` adds."""

from collections.abc import Mapping
from functools import cache

from lakeproof.errors import TerminalError
from lakeproof.modules import package_modules
from lakeproof.stack import engines, services
from lakeproof.stack.component import Component
from lakeproof.stack.replicas import with_replicas
from lakeproof.unknown_name import unknown_name
from lakeproof_shop import components as of_shop


@cache
def all_components() -> Mapping[str, Component]:
    """Name → component, in the order of the names. Raises: TerminalError where two share a name."""
    declared: list[Component] = []
    for package in (engines, services, of_shop):
        for module in package_modules(package):
            declared += getattr(module, "COMPONENTS", ())
    found: dict[str, Component] = {}
    for component in with_replicas(declared):
        if component.name in found:
            raise TerminalError("two components of one name", where=component.name)
        found[component.name] = component
    return dict(sorted(found.items()))


def find(name: str) -> Component:
    """The component of that name. Raises: InvalidInput that lists the names."""
    known = all_components()
    if name not in known:
        raise unknown_name("component", name, known)
    return known[name]
