"""Running a component's hooks (prepare, provision, before_stop) as processes, one at a time."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

from lakeproof.errors import TransientError
from lakeproof.processes import logfile, process
from lakeproof.processes.ending import kill_family
from lakeproof.processes.environment import child_environment
from lakeproof.processes.process import Process
from lakeproof.stack.component import Command, Hook
from lakeproof.stack.stack import Stack

# The command that runs a hook, before COMPONENT and HOOK are added.
HOOK_ARGV = (sys.executable, "-m", "lakeproof.provisioning")
# The beginning of the log line in which a hook's process says why it failed.
REASON = "lakeproof: "


class HookFailed(TransientError):
    """A hook ended with an error or not in time."""


class Hooks:
    """One component's hooks. `argv`: the command that runs a hook, before COMPONENT and HOOK are added."""

    def __init__(self, component: str, stack: Stack, run_id: str, argv: Sequence[str]) -> None:
        self._component, self._stack, self._run_id, self._argv = component, stack, run_id, argv
        self._running: Process | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the hook that runs now, or that ran last."""
        return self._running.pid if self._running is not None else None

    async def run(self, hook: Hook, seconds: float, variables: Mapping[str, str] | None = None) -> None:
        """Run the hook, its output in the component's log; then end whatever it started. Raises: HookFailed.

        `variables`: those given to this component alone, beside the daemon's own environment.
        """
        command = Command(argv=(*self._argv, self._component, hook))
        environment = child_environment(self._stack, self._run_id, self._component, command, variables)
        log = self._stack.log_path(self._component)
        self._running = running = process.start(command, environment, log, self._stack.state_dir)
        try:
            # Its interpreter is not up yet, so nothing that this run writes stands before this position.
            began = logfile.span(log)[1]
            done, _ = await asyncio.wait({running.exited}, timeout=seconds)
        finally:
            await kill_family(running)
        if not done:
            raise HookFailed(f"{hook} did not end within {seconds:.0f} s")
        ended = running.exited.result()
        if ended.code != 0:
            raise HookFailed(self._reason(hook, began) or f"{hook} {ended}")

    async def end(self) -> None:
        """End the hook that runs, if any."""
        if self._running is not None and self._running.running:
            await kill_family(self._running)

    def _reason(self, hook: str, began: int) -> str:
        """The last reason for a failure that this hook wrote into the log since position `began`, for people."""
        log = self._stack.log_path(self._component)
        _, said = logfile.read(log, max(began, logfile.span(log)[1] - logfile.TAIL_BYTES))
        for line in reversed(said.decode(errors="replace").splitlines()):
            if line.startswith(f"{REASON}{hook} of "):
                return line.removeprefix(REASON)
        return ""
