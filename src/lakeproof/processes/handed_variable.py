"""The variables that a component reads once, at its start: the addresses of the shop's services, SERVICE_…_URL, how
long a reservation lives, for how long a timeline is kept, and how many messages a customer gets (environment.py lists
them).
"""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from lakeproof.errors import LakeproofError
from lakeproof.processes import procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.environment import service_variables
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file

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


def lend_variable(stack: Stack, component: str, variable: str, value: str, note: Path) -> None:
    """Restart the component with that value until `take_back_variable`; fine where it has it.

    What it was handed before is noted first: somebody may have started it with a value of their own.
    Raises: LakeproofError.
    """
    client = our_processes(stack, f"restart {component}")
    if not note.exists():
        write_file(note, json.dumps(client.handed(component).get(variable)))
    if handed_variables(stack, component).get(variable) != value:
        hand_variable(stack, component, variable, value)


def take_back_variable(stack: Stack, component: str, variable: str, value: str, note: Path) -> None:
    """Restart the component with what it had before it was lent that value, whatever a repair has set since; fine
    where it has that, or was never started. Without a note, that value alone is taken away.

    One that has no process is started: later the supervisor would start it with the lent value. Raises:
    LakeproofError.
    """
    client = SupervisorClient(stack)
    found = [row for row in client.ps() if row.name == component] if client.running() else []
    for row in found:
        has, noted = client.handed(component).get(variable), read_if_there(note)
        before = None if has == value else has
        if noted is not None:
            before = json.loads(noted)
        if row.pid is None or has != before:
            hand_variable(stack, component, variable, before)
    note.unlink(missing_ok=True)


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
