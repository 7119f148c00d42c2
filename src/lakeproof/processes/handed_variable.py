"""The variables that a component reads once, at its start: the addresses of the shop's services, SERVICE_…_URL, and
how long a reservation lives (environment.py lists them).
"""

from lakeproof.processes import procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.environment import service_variables
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack


def handed_addresses(stack: Stack, component: str) -> dict[str, str]:
    """Those that its process was started with; none where it does not run. Raises: CouldNotLook."""
    pid = SupervisorClient(stack).row(component).pid
    return service_variables(procfs.read_environment(pid)) if pid is not None else {}


def hand_address(stack: Stack, component: str, variable: str, address: str | None) -> None:
    """Restart the component with another value of that variable, and leave its other ones as they are.

    address: "" is none at all; None: the variable is not set, so that the stack's own address counts.
    Returns once it is healthy. Raises: LakeproofError.
    """
    client = our_processes(stack, f"restart {component}")
    variables = {name: value for name, value in handed_addresses(stack, component).items() if name != variable}
    if address is not None:
        variables[variable] = address
    client.stop(component)
    client.start(component, variables=variables)
