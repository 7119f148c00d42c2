"""Repairs of the scenario kafka-backlog."""

from lakeproof.errors import TerminalError
from lakeproof.lake.job.store_road import take_road
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes import cpu_limit
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.flink import TASKMANAGER
from lakeproof.stack.engines.flink_config import other_road
from lakeproof.stack.stack import Stack


class LiftCpuLimit(Mitigation):
    """Take a component's limit of processor time away.

    `component`: the one whose limit is lifted.
    """

    component: str = "flink-taskmanager"

    def typed(self, stack: Stack) -> str:
        """The limit works by signals; a container's own (cpu.max) is lifted where the container is run."""
        return f"end the process cpu_limit {self.component}, then lakeproof kill {self.component} --signal CONT"

    def run(self, stack: Stack) -> str:
        """End the process that limits the component, and let the component go on.

        Raises: TerminalError where nothing limits it by signals: a container's limit is not lifted here.
        """
        our_processes(stack, f"lift the limit of {self.component}")
        if not cpu_limit.lift(stack, self.component):
            raise TerminalError(
                "nothing on this machine stops it by signals, so there was no limit to lift",
                where=self.component,
                next_action="look at cpu.max and cpu.stat of its container, and raise the limit where that is run",
            )
        return f"{self.component} is limited no more"


class RestoreStoreRoad(Mitigation):
    """Have a TaskManager reach the object store at the stack's own address.

    `component`: the process of Flink to restart.
    """

    component: str = TASKMANAGER

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        name = self.component
        return f"rm {other_road(stack, name)}; lakeproof stop {name}; lakeproof start {name}"

    def run(self, stack: Stack) -> str:
        """Restart the process with the stack's address; its jobs go on from their newest complete checkpoint.

        Raises: TerminalError where it has that address already: then the store itself, or the network, is slow.
        """
        if not take_road(stack, self.component, None):
            raise TerminalError(
                f"it reaches the store at {stack.url('minio')} already",
                where=self.component,
                next_action="look at the store itself: its disk, its processor time",
            )
        return f"{self.component} reaches the store at {stack.url('minio')} again"
