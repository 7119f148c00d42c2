"""Which components are part of a stack: every package that has to know asks here.

A component that nobody wanted is no failure: it is neither asked nor called down, and its data is not judged. In a
stack of our own, every component that was wanted since the supervisor started is part of it, also one that was
stopped by hand. Where no supervisor runs, the parts are what `lakeproof up` starts: these should be there. In a stack
that somebody else runs (mode "external"), the parts are the components that have an endpoint in the settings.
"""

from dataclasses import dataclass

from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

ASK_SECONDS = 2.0


@dataclass(frozen=True)
class Parts:
    """`names`: the components that are part of the stack. None: nobody could tell, for the reason in `unknown`."""

    names: frozenset[str] | None
    unknown: str = ""

    def known(self) -> frozenset[str]:
        """The names. Raises: CouldNotLook where nobody could tell."""
        if self.names is None:
            raise CouldNotLook(f"could not tell which components are part of this stack: {self.unknown}")
        return self.names

    @property
    def absent(self) -> frozenset[str]:
        """Components that nobody should miss: all that are not part, except those that start on demand.

        Where nobody could tell, these are the components that `lakeproof up` does not start: a supervisor that hangs
        must not hide what else is wrong.
        """
        watched = frozenset(name for name, one in all_components().items() if not one.on_demand)
        return watched - (usual_parts() if self.names is None else self.names)


def parts_of(stack: Stack, seconds: float = ASK_SECONDS) -> Parts:
    """The parts of this stack now. Waits at most about `seconds` for the supervisor, and never raises."""
    if stack.settings.mode == "external":
        return Parts(frozenset(stack.settings.endpoints))
    client = SupervisorClient(stack)
    try:
        if not client.running():
            return Parts(usual_parts())
        return Parts(frozenset(row.name for row in client.ps(seconds)))
    except LakeproofError as error:
        return Parts(None, error.message)


def usual_parts() -> frozenset[str]:
    """What `lakeproof up` starts."""
    return frozenset(name for name, one in all_components().items() if one.in_plain_up and not one.on_demand)
