"""Asking a stack's supervisor, and starting it where there is none. Used by the CLI, faults and tests."""

import contextlib
import json
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.processes import lock, ports, procfs, sweep
from lakeproof.processes.codebase import Codebase, codebase
from lakeproof.processes.detached import launch
from lakeproof.processes.environment import RUN_ID, SETTINGS_OF_ONE, settings_environment
from lakeproof.processes.events import Event
from lakeproof.processes.protocol import SIGNALS
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.signalling import send
from lakeproof.processes.supervisor import OnEvent, Supervisor, ignore
from lakeproof.stack.closure import closure
from lakeproof.stack.component import Component
from lakeproof.stack.components import all_components
from lakeproof.stack.replicas import replicas_for
from lakeproof.stack.stack import Stack
from lakeproof.unknown_name import unknown_name

END_SECONDS = 20.0
START_SECONDS = 30.0
DOWN_SECONDS = 180.0
# The folder inside the state folder into which a reset moves what it deletes (reset.py).
DELETING = "deleting"
# One caller at a time starts a daemon. The caller before us may wait for a whole `down` and then start its daemon.
TURN_SECONDS = DOWN_SECONDS + 2 * START_SECONDS


class SupervisorClient(Supervisor):
    """One stack's supervisor, from outside.

    `components` and `daemon_argv` are for tests with a table of their own; the daemon of that argv must use the
    same table.
    """

    def __init__(
        self,
        stack: Stack,
        components: Mapping[str, Component] | None = None,
        daemon_argv: Sequence[str] = (sys.executable, "-m", "lakeproof.processes.daemon"),
    ) -> None:
        super().__init__(stack)
        self.stack = stack
        self._components = components
        self._daemon_argv = tuple(daemon_argv)

    @property
    def components(self) -> Mapping[str, Component]:
        """The table of components."""
        if self._components is None:
            self._components = all_components()
        return self._components

    def up(self, names: Iterable[str] | None = None, on_event: OnEvent = ignore) -> list[str]:
        """Start these components (None: `default_names`) and what they need; return when all are healthy.

        Gives the names that were started. `on_event` is called for each step and at least every 4 seconds.
        Raises: InvalidInput (unknown name, external stack, other settings or code, data of a stack that runs),
        PortTaken before anything starts, TerminalError naming the component that did not become healthy, why, and its
        last log lines.
        """
        if self.stack.settings.mode == "external":
            raise InvalidInput(
                "nothing is started here, its servers are somebody else's",
                where=f"stack {self.stack.name} (mode external)",
                next_action='set mode = "local", or start those servers where they live',
            )
        wanted = list(names) if names is not None else self.default_names()
        order = closure(wanted, self.components)
        wanted += self._lasting(order)
        order = closure(wanted, self.components)
        with lock.starting(self.stack, TURN_SECONDS):
            if not self._join_running(on_event):
                self._require_no_reset()
                self._require_its_own_data()
                self._sweep_after_death(on_event)
                ports.check_free([self.components[name] for name in order], self.stack, supervisor=True)
                self._start_daemon()
        started: list[str] = self.ask({"do": "up", "names": wanted}, on_event)
        return started

    def _require_no_reset(self) -> None:
        """Raises: InvalidInput where a reset was cut off: part of the data is gone."""
        if (self.stack.state_dir / DELETING).exists():
            raise InvalidInput(
                "a reset was cut off half-way",
                where=f"stack {self.stack.name}",
                next_action="lakeproof reset, then up",
            )

    def _require_its_own_data(self) -> None:
        """Raises: InvalidInput where another stack runs on these data: each would overwrite what the other wrote."""
        other = lock.holder_of_the_same_data(self.runtime)
        if other is not None:
            raise InvalidInput(
                f"a supervisor runs on it (pid {other.pid}) under another name or path: {other.run_id}",
                where=str(self.stack.state_dir),
                next_action="use that name and path, or give this stack a LAKEPROOF_STATE_DIR of its own",
            )

    def _lasting(self, order: Sequence[str]) -> list[str]:
        """Components whose `lasting` is True and whose needs are all in `order` (a node that outlived a `down`)."""
        return [
            one.name
            for one in self.components.values()
            if one.name not in order and set(one.needs) <= set(order) and one.lasting and one.lasting(self.stack)
        ]

    def default_names(self) -> list[str]:
        """What `up` without a name means."""
        return [name for name, one in self.components.items() if one.in_plain_up and not one.on_demand]

    def down(self, on_event: OnEvent = ignore) -> list[str]:
        """Stop every component and the daemon, then sweep left-over processes, also when the daemon is dead.

        Gives the names of stopped components, then the processes that the sweep ended. Safe to repeat.
        Raises: DeadlineExpired when a process cannot be killed.
        """
        stopped: list[str] = []
        holder = lock.living_holder(self.runtime)
        if holder is not None:
            patience = END_SECONDS
            try:
                stopped += self.ask({"do": "down"}, on_event)
            except CouldNotLook as error:
                on_event(Event("supervisor", "killed", error.what))
                patience = 0.0
            self._await_end(holder.process, patience)
        # Only processes of the daemon that we stopped: meanwhile an `up` may have started the stack anew.
        stopped += sweep.sweep(self.runtime.owns if holder is None else lambda found: found == holder.run_id)
        with contextlib.suppress(lock.DaemonRuns):
            lock.clear(self.runtime)
        return stopped

    def kill(self, name: str, signal_name: str = "KILL", *, counted: bool = True) -> int:
        """Send KILL, STOP, CONT or TERM to all processes of a component; gives the number of processes signalled.

        The restart policy starts a killed component again. counted: that start counts as a restart, and three of
        these within ten minutes are an incident. False: the caller ends the component on purpose, so that it starts
        in another way. Raises: InvalidInput (also where nothing runs), CouldNotLook.
        """
        self._require_known(name)
        if signal_name.upper().removeprefix("SIG") not in SIGNALS:
            raise unknown_name("signal", signal_name, SIGNALS)
        return int(self.ask({"do": "kill", "name": name, "signal": signal_name, "counted": counted}))

    def let_go_on(self, name: str) -> None:
        """Send SIGCONT to a component's processes; nothing to do where none or no daemon runs. Raises: as `kill`."""
        if self.running() and any(row.name == name and row.pid is not None for row in self.ps()):
            self.kill(name, "CONT")

    def row(self, name: str) -> ProcessRow:
        """The row that `ps` shows of this component. Raises: InvalidInput for an unknown name; CouldNotLook."""
        self._require_known(name)
        return super().row(name)

    def stop(self, name: str, on_event: OnEvent = ignore, *, watched: bool = False) -> bool:
        """Stop one component and keep it stopped. False when it did not run. Raises: as `kill`.

        watched: its absence goes on to raise alerts, as after a crash. For a fault, and for a repair that starts the
        component again and may be killed before that. Otherwise no alert tells of it, since a command stopped it.
        """
        self._require_known(name)
        return bool(self.ask({"do": "stop", "name": name, "watched": watched}, on_event))

    def start(
        self, name: str, on_event: OnEvent = ignore, *, variables: Mapping[str, str] | None = None
    ) -> list[str]:
        """Start one component and what it needs under the running daemon; return when healthy.

        `variables`: values of SERVICE_VARIABLES for this component from now on, also when it comes back after a
        crash. A variable that is not given has the daemon's own value. None: those of its last start.
        Raises: as `kill`; InvalidInput where the component already runs with other values.
        """
        self._require_known(name)
        self.require_ours()
        given = None if variables is None else dict(variables)
        started: list[str] = self.ask({"do": "start", "name": name, "variables": given}, on_event)
        return started

    def restart(self, name: str, on_event: OnEvent = ignore, *, variables: Mapping[str, str] | None = None) -> None:
        """Stop one component and start it; return when healthy. What `start` refuses is refused before the stop.

        It is one request, so the supervisor starts the component also where the caller is killed meanwhile. After a
        separate `stop` the component would stay down, and no alert would tell. Raises: as `start`.
        """
        self._require_known(name)
        self.require_ours()
        given = None if variables is None else dict(variables)
        self.ask({"do": "restart", "name": name, "variables": given}, on_event)

    def handed(self, name: str) -> dict[str, str]:
        """The variables given at a component's last start, without the daemon's own. Raises: as `kill`."""
        self._require_known(name)
        found: dict[str, str] = self.ask({"do": "handed", "name": name})
        return found

    def scale(self, name: str, count: int, on_event: OnEvent = ignore) -> tuple[list[str], list[str]]:
        """Run `count` processes of a component, and what they need; return when all are healthy.

        Gives the names that were started, and the names that were ended, which `ps` then shows no more.
        Raises: InvalidInput where the component cannot have so many processes, else as `up`.
        """
        self._require_known(name)
        wanted, surplus = replicas_for(name, count, self.components)
        self.require_ours()
        # The surplus is ended first: it may keep the remaining processes from being healthy.
        ended = [each for each in surplus if self.forget(each, on_event)]
        return self.up([name, *wanted], on_event), ended

    def forget(self, name: str, on_event: OnEvent = ignore) -> bool:
        """End one component for good: `ps` shows it no more. False where it was never wanted or no daemon runs."""
        self._require_known(name)
        return self.running() and bool(self.ask({"do": "forget", "name": name}, on_event))

    def _require_known(self, name: str) -> None:
        if name not in self.components:
            raise unknown_name("component", name, self.components)

    # the daemon itself

    def _start_daemon(self) -> None:
        """Start the daemon and return when it answers. Raises: TerminalError with the daemon's output."""
        marks = {RUN_ID: self.runtime.new_run_id()}
        launch(self.stack, self._daemon_argv, marks, START_SECONDS, f"supervisor of stack {self.stack.name}")

    def _join_running(self, on_event: OnEvent) -> bool:
        """True when a daemon runs that can be asked. Waits for a daemon that is ending. Raises: as `require_ours`."""
        holder = lock.living_holder(self.runtime)
        if holder is None:
            return False
        hello = self.ask({"do": "hello"})
        if hello["closing"]:
            on_event(Event("supervisor", "waiting", "for a `down` that is under way"))
            Deadline(DOWN_SECONDS).wait_for(
                "the end of a `down`", lambda: None if procfs.is_alive(holder.process) else True, every=0.1
            )
            return False
        self._require_ours(hello)
        return True

    def require_ours(self) -> None:
        """Refuse a running daemon of other code or settings: it would start something else than the caller means.

        No daemon, or one that is ending, is accepted.
        Raises: InvalidInput when it runs other code (of another clone, say) or other settings; CouldNotLook.
        """
        if self.running():
            hello = self.ask({"do": "hello"})
            if not hello["closing"]:
                self._require_ours(hello)

    def _require_ours(self, hello: Mapping[str, Any]) -> None:
        # A daemon of an older version does not tell its code, which is therefore not ours.
        told: Mapping[str, str] = hello.get("code", {})
        code = Codebase(told.get("root", "an older Lakeproof"), told.get("version", "unknown"))
        if code != codebase():
            raise InvalidInput(
                f"it runs the code of {code}, and this is {codebase()}",
                where=f"stack {self.stack.name}",
                next_action="go on there; or end it (`lakeproof down`, here or there), then start it here; "
                "or run another stack beside it: LAKEPROOF_NAME=second LAKEPROOF_PORT_SHIFT=1000",
            )
        theirs = _of_all(hello["settings"])
        ours = _of_all(settings_environment(self.stack))
        changed = [name for name in sorted(ours) if ours[name] != theirs.get(name)]
        if changed:
            raise InvalidInput(
                f"it runs with other settings ({', '.join(changed)})",
                where=f"stack {self.stack.name}",
                next_action="lakeproof down, then up again",
            )

    def _sweep_after_death(self, on_event: OnEvent) -> None:
        """End the processes that a dead daemon left, before new ones are started beside them."""
        for ended in sweep.sweep(self.runtime.owns):
            on_event(Event("supervisor", "swept", f"left by a supervisor that died: {ended}"))

    def _await_end(self, daemon: procfs.ProcessId, seconds: float) -> None:
        """Wait until the daemon has ended. After `seconds` it is killed, which also ends its children."""
        deadline = Deadline(seconds)
        while procfs.is_alive(daemon) and not deadline.expired:
            deadline.pause(0.05)
        send(signal.SIGKILL, [daemon])
        Deadline(END_SECONDS).wait_for(
            "the supervisor's end", lambda: True if not procfs.is_alive(daemon) else None, every=0.05
        )


def _of_all(settings: Mapping[str, str]) -> dict[str, object]:
    """The settings without SETTINGS_OF_ONE: a shell may give these to one component, and the stack is the same."""
    found: dict[str, object] = dict(settings)
    for variable in SETTINGS_OF_ONE:
        table, _, setting = variable.partition("__")
        if table in settings:
            values = json.loads(settings[table])
            found[table] = {name: value for name, value in values.items() if name != setting.lower()}
    return found
