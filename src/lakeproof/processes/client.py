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
# In the state folder while a reset deletes what is in it (reset.py).
DELETING = "deleting"
# To start a daemon is one at a time: behind one who waits for a `down`, and then starts.
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
        """Members that outlived a `down`, of what is started now."""
        return [
            one.name
            for one in self.components.values()
            if one.name not in order and set(one.needs) <= set(order) and one.lasting and one.lasting(self.stack)
        ]

    def default_names(self) -> list[str]:
        """What `up` without a name means."""
        return [name for name, one in self.components.items() if one.in_plain_up and not one.on_demand]

    def down(self, on_event: OnEvent = ignore) -> list[str]:
        """Stop everything and the daemon, and sweep what is left, also when the daemon is dead. Safe to repeat.

        Gives what was stopped: names, and what the sweep ended. Raises: DeadlineExpired when something cannot be
        killed.
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
        # Only what was there: an `up` may start the stack anew while this still looks for the rest.
        stopped += sweep.sweep(self.runtime.owns if holder is None else lambda found: found == holder.run_id)
        with contextlib.suppress(lock.DaemonRuns):
            lock.clear(self.runtime)
        return stopped

    def kill(self, name: str, signal_name: str = "KILL", *, counted: bool = True) -> int:
        """Send KILL, STOP, CONT or TERM to all processes of a component; gives how many.

        What KILL ends is started again by the restart policy. counted: that start is one of its restarts, of which
        three within ten minutes are an incident; False for who ends it on purpose, to have it start otherwise.
        Raises: InvalidInput (also where nothing runs), CouldNotLook.
        """
        self._require_known(name)
        if signal_name.upper().removeprefix("SIG") not in SIGNALS:
            raise unknown_name("signal", signal_name, SIGNALS)
        return int(self.ask({"do": "kill", "name": name, "signal": signal_name, "counted": counted}))

    def let_go_on(self, name: str) -> None:
        """SIGCONT to one component's processes; fine where it has none, or no daemon runs. Raises: as `kill`."""
        if self.running() and any(row.name == name and row.pid is not None for row in self.ps()):
            self.kill(name, "CONT")

    def row(self, name: str) -> ProcessRow:
        """Of one component, as `ps`. Raises: InvalidInput for an unknown name; CouldNotLook."""
        self._require_known(name)
        return super().row(name)

    def stop(self, name: str, on_event: OnEvent = ignore, *, watched: bool = False) -> bool:
        """Stop one component and keep it stopped. False when it did not run. Raises: as `kill`.

        watched: alerts go on to tell that it is away, as they do after a crash: for a fault, and for a repair that
        starts it again and may be killed before that. Else they are silent, since the stop was commanded.
        """
        self._require_known(name)
        return bool(self.ask({"do": "stop", "name": name, "watched": watched}, on_event))

    def start(
        self, name: str, on_event: OnEvent = ignore, *, variables: Mapping[str, str] | None = None
    ) -> list[str]:
        """Start one component and what it needs under the running daemon; return when healthy.

        `variables`: which of SERVICE_VARIABLES this component finds from now on, also when it comes back after a
        crash; one that is not among them is as the daemon has it. None: as at its last start. Raises: as `kill`;
        InvalidInput where the component runs with others.
        """
        self._require_known(name)
        self.require_ours()
        given = None if variables is None else dict(variables)
        started: list[str] = self.ask({"do": "start", "name": name, "variables": given}, on_event)
        return started

    def restart(self, name: str, on_event: OnEvent = ignore, *, variables: Mapping[str, str] | None = None) -> None:
        """Stop one component and start it; return when healthy. What `start` refuses is refused before the stop.

        One request: the supervisor starts it also where whoever asked is killed meanwhile. Stopped by command, it
        would stay down, and no alert would tell of it. Raises: as `start`.
        """
        self._require_known(name)
        self.require_ours()
        given = None if variables is None else dict(variables)
        self.ask({"do": "restart", "name": name, "variables": given}, on_event)

    def handed(self, name: str) -> dict[str, str]:
        """The variables of its last start, beside the daemon's own, of a stopped one too. Raises: as `kill`."""
        self._require_known(name)
        found: dict[str, str] = self.ask({"do": "handed", "name": name})
        return found

    def scale(self, name: str, count: int, on_event: OnEvent = ignore) -> tuple[list[str], list[str]]:
        """Have `count` processes of a component, and what they need; return when all are healthy.

        Gives the names that were started, and those that were ended; `ps` shows these no more.
        Raises: InvalidInput where it cannot have so many, else as `up`.
        """
        self._require_known(name)
        wanted, surplus = replicas_for(name, count, self.components)
        self.require_ours()
        # The surplus first: it may be what keeps the rest from being healthy.
        ended = [each for each in surplus if self.forget(each, on_event)]
        return self.up([name, *wanted], on_event), ended

    def forget(self, name: str, on_event: OnEvent = ignore) -> bool:
        """End one component for good: `ps` shows it no more. False where it was not wanted, or nothing runs."""
        self._require_known(name)
        return self.running() and bool(self.ask({"do": "forget", "name": name}, on_event))

    def _require_known(self, name: str) -> None:
        if name not in self.components:
            raise unknown_name("component", name, self.components)

    # the daemon itself

    def _start_daemon(self) -> None:
        """Start it and return when it answers. Raises: TerminalError with what it said."""
        marks = {RUN_ID: self.runtime.new_run_id()}
        launch(self.stack, self._daemon_argv, marks, START_SECONDS, f"supervisor of stack {self.stack.name}")

    def _join_running(self, on_event: OnEvent) -> bool:
        """True when a daemon runs that can be asked; one that is ending is waited for. Raises: as `require_ours`."""
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
        """Refuse a daemon that would start something else than we mean; fine where none runs, or one that is ending.

        Raises: InvalidInput when it runs other code (of another clone, say) or other settings; CouldNotLook.
        """
        if self.running():
            hello = self.ask({"do": "hello"})
            if not hello["closing"]:
                self._require_ours(hello)

    def _require_ours(self, hello: Mapping[str, Any]) -> None:
        # An older daemon tells none: its code is not ours either.
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
        """What a dead daemon left is ended before anything is started over it."""
        for ended in sweep.sweep(self.runtime.owns):
            on_event(Event("supervisor", "swept", f"left by a supervisor that died: {ended}"))

    def _await_end(self, daemon: procfs.ProcessId, seconds: float) -> None:
        """Until the daemon is over; after so many seconds it is killed, and its children with it."""
        deadline = Deadline(seconds)
        while procfs.is_alive(daemon) and not deadline.expired:
            deadline.pause(0.05)
        send(signal.SIGKILL, [daemon])
        Deadline(END_SECONDS).wait_for(
            "the supervisor's end", lambda: True if not procfs.is_alive(daemon) else None, every=0.05
        )


def _of_all(settings: Mapping[str, str]) -> dict[str, object]:
    """Without the settings that a shell may hand to one component: they are no other stack's."""
    found: dict[str, object] = dict(settings)
    for variable in SETTINGS_OF_ONE:
        table, _, setting = variable.partition("__")
        if table in settings:
            values = json.loads(settings[table])
            found[table] = {name: value for name, value in values.items() if name != setting.lower()}
    return found
