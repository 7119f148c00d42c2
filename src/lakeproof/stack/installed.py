"""Which components can be started with what is installed: all but those whose artifact nobody has asked for yet."""

from collections.abc import Iterable

from lakeproof.install import artifacts
from lakeproof.stack.component import Component


def is_installed(component: Component) -> bool:
    """False only where its artifact is one that nobody has asked for yet."""
    return component.artifact is None or artifacts.is_there(component.artifact)


def everything(components: Iterable[Component]) -> tuple[list[str], list[str]]:
    """What `up --all` starts, and what is not installed. Further processes are in neither."""
    known = [one for one in components if one.replica_of is None]
    wanted = [one.name for one in known if is_installed(one)]
    return wanted, sorted({one.name for one in known} - set(wanted))
