"""The variables that a component reads once, at its start: the addresses of other services (SERVICE_…_URL), how long
a reservation lives, how long a timeline is kept, and how many messages a customer gets (environment.py lists them).
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
    """The variables with which its process was started; none where it does not run. Raises: CouldNotLook."""
    pid = SupervisorClient(stack).row(component).pid
    return service_variables(procfs.read_environment(pid)) if pid is not None else {}


def hand_variable(stack: Stack, component: str, variable: str, value: str | None) -> None:
    """Restart the component with another value of this variable, and with its other variables as they are.

    The supervisor is asked for the others, because after a run that was cut off no process may have them.
    value: "" means no address at all; None: the variable is not set, so that the stack's own value counts.
    Returns once the component is healthy. Raises: LakeproofError.
    """
    client = our_processes(stack, f"restart {component}")
    variables = {name: had for name, had in client.handed(component).items() if name != variable}
    if value is not None:
        variables[variable] = value
    client.restart(component, variables=variables)


def lend_variable(stack: Stack, component: str, variable: str, value: str, note: Path) -> None:
    """Restart the component with this value until `take_back_variable`; nothing to do where it has the value.

    The value that it had before is first written to `note`: somebody may have started it with one of their own.
    Raises: LakeproofError.
    """
    client = our_processes(stack, f"restart {component}")
    if not note.exists():
        write_file(note, json.dumps(client.handed(component).get(variable)))
    if handed_variables(stack, component).get(variable) != value:
        hand_variable(stack, component, variable, value)


def take_back_variable(stack: Stack, component: str, variable: str, value: str, note: Path) -> None:
    """Restart the component with the value that it had before `lend_variable`, whatever a repair has set since.

    Nothing happens where it has that value, or was never started. Without a note, only the lent value is taken away.
    A component without a process is started too: else the supervisor would later start it with the lent value.
    Raises: LakeproofError.
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
    """The variables of its last start, for `start_by_hand`; none where the supervisor does not answer."""
    try:
        return SupervisorClient(stack).handed(component)
    except LakeproofError:
        return {}


def start_by_hand(component: str, variables: Mapping[str, str | None]) -> str:
    """What a person types to start the stopped component with these variables.

    They must be all variables that it is to have: `lakeproof start` takes away each that is not given again.
    None: the variable is not set. An address with a login is shown as AS-BEFORE.
    """
    given = [f"{name}={_shown(value)}" for name, value in variables.items() if value is not None]
    return " ".join((*given, f"lakeproof start {component}"))


def without_login(address: str) -> str:
    """The address without user and password, so that a timeline or a log may show it."""
    return _LOGIN.sub("//…@", address)


def _shown(value: str) -> str:
    if _LOGIN.search(value):
        return "AS-BEFORE"
    return shlex.quote(value) if value else ""
