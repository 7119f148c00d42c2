"""A question to /proc: which components have a process, and what else was started by who asks.

It asks no supervisor: it has to find also the processes that no supervisor knows of.
"""

from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.processes import procfs, sweep
from lakeproof.processes.environment import COMPONENT
from lakeproof.processes.mark import marked
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack


def processes(stack: Stack, timeout: float) -> Value:
    """Components by name, and `COMMAND[PID]` of what a drill started itself; sorted, joined by spaces.

    Components on demand are left out: whoever asks first starts them, and they stay.
    """
    known = all_components()
    names = {procfs.read_environment(stat.id.pid).get(COMPONENT, "") for stat in sweep.find(Runtime(stack).owns)} - {
        ""
    }
    kept = {name for name in names if name not in known or not known[name].on_demand}
    started = {f"{'_'.join(stat.command.split())}[{stat.id.pid}]" for stat in marked()}
    return " ".join(sorted(kept | started))


PROBES = (Probe("processes", "stack", "the processes of this stack in /proc", "", processes, inventory=True),)
