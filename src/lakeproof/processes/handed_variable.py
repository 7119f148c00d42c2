"""The variables that a component reads once, at its start: the addresses of the shop's services, SERVICE_…_URL, how
long a reservation lives, for how long a timeline is kept, and how many messages a customer gets (environment.py lists
them).
"""

import re
import shlex
from collections.abc import Mapping

from lakeproof.errors import LakeproofError
from lakeproof.processes import procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.environment import service_variables
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack

# A user and a password, or a token alone.
_LOGIN = re.compile(r"//[^/]*@")


def handed_variables(stack: Stack, component: str) -> dict[str, str]:
    """Those that its process was started with; none where it does not run. Raises: CouldNotLook."""
    pid = SupervisorClient(stack).row(component).pid
    return service_variables(procfs.read_environment(pid)) if pid is not None else {}


def hand_variable(stack: Stack, component: str, variable: str, value: str | None) -> None:
    """Restart the component with another value of that variable, and leave its other ones as they are.

    The other ones are the supervisor's to tell: after a run that was cut off there is no process that could.
    value: of an address, "" is none at all; None: the variable is not set, so that the stack's own value counts.
    Returns once it is healthy. Raises: LakeproofError.
    """
    client = our_processes(stack, f"restart {component}")
    variables = {name: had for name, had in client.handed(component).items() if name != variable}
    if value is not None:
        variables[variable] = value
    client.restart(component, variables=variables)


def take_back_variable(stack: Stack, component: str, variable: str) -> None:
    """Restart the component without that variable; fine where it has none, or was never started. One that has no
    process is started: later the supervisor would start it with the variable again. Raises: LakeproofError.
    """
    client = SupervisorClient(stack)
    found = [row for row in client.ps() if row.name == component] if client.running() else []
    if any(row.pid is None or variable in client.handed(component) for row in found):
        hand_variable(stack, component, variable, None)


def last_handed(stack: Stack, component: str) -> dict[str, str]:
    """Those of its last start, for what a person is told to type; none where the supervisor does not answer."""
    try:
        return SupervisorClient(stack).handed(component)
    except LakeproofError:
        return {}


def start_by_hand(component: str, variables: Mapping[str, str | None]) -> str:
    """What a person types to start the stopped component with these variables: all that it is to have, for
    `lakeproof start` takes those away that it had and is not given again.

    None: the variable is not set. An address with a login is told as AS-BEFORE.
    """
    given = [f"{name}={_shown(value)}" for name, value in variables.items() if value is not None]
    return " ".join((*given, f"lakeproof start {component}"))


def without_login(address: str) -> str:
    """The address as it may stand in a timeline or a log."""
    return _LOGIN.sub("//…@", address)


def _shown(value: str) -> str:
    if _LOGIN.search(value):
        return "AS-BEFORE"
    return shlex.quote(value) if value else ""
