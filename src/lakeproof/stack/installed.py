"""Which components can be started: all but those whose program set-up builds on request, and has not built yet."""

from collections.abc import Iterable

from lakeproof.install import artifacts
from lakeproof.stack.component import Component


def is_installed(component: Component) -> bool:
    """False only where set-up has not built the component's program yet."""
    return component.artifact is None or artifacts.is_there(component.artifact)


def everything(components: Iterable[Component]) -> tuple[list[str], list[str]]:
    """The names that `up --all` starts, and those that are not installed. Further processes are in neither list."""
    known = [one for one in components if one.replica_of is None]
    wanted = [one.name for one in known if is_installed(one)]
    return wanted, sorted({one.name for one in known} - set(wanted))
