"""Keeps one component running or stopped, as wanted: starts, asks, provisions, restarts and stops it."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, LakeproofError, PortTaken, TerminalError, TransientError
from lakeproof.processes import logfile, ports, process, share
from lakeproof.processes.backoff import Backoff
from lakeproof.processes.condition import Condition
from lakeproof.processes.context import Context
from lakeproof.processes.ending import ask_to_end, kill_component
from lakeproof.processes.environment import child_environment, service_variables
from lakeproof.processes.events import Event
from lakeproof.processes.hooks import Hooks
from lakeproof.processes.preparation import PREPARE_SECONDS, Preparation
from lakeproof.processes.process import Process, cancel
from lakeproof.processes.readiness import Readiness
from lakeproof.processes.states import Health, State, may_follow
from lakeproof.processes.timeline import Timeline
from lakeproof.processes.tries import Tries
from lakeproof.processes.watch import Watch
from lakeproof.stack.component import Component, Hook

BEFORE_STOP_SECONDS = 60.0
PROVISION_SECONDS_MIN = 60.0
# At most this many lines of a component's log are shown where it did not become healthy.
LOG_LINES = 12

log = logging.getLogger(__name__)


class Keeper:
    """One component's keeper. All methods run in the daemon's loop.

    others: every component's keeper by name, complete once all keepers are made.
    """

    def __init__(self, component: Component, context: Context, others: Mapping[str, "Keeper"]) -> None:
        self.component = component
        self.context = context
        self._others = others
        self.state = State.STOPPED
        self.condition = Condition()
        self.tries = Tries(context.pace)
        self.ready_seconds: float | None = None
        self._watch = Watch(component.start_seconds + component.stop_seconds)
        self.process: Process | None = None
        self.timeline: Timeline | None = None
        # The variables given to this component alone at its last start, beside the daemon's own environment.
        self.variables: dict[str, str] = {}
        self._life: asyncio.Task[None] | None = None
        self._hooks = Hooks(component.name, context.stack, context.run_id, context.hook_argv)
        self._preparation = Preparation(component, context.stack, context.threads)
        self._turn = asyncio.Lock()

    # what others see

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    @property
    def known(self) -> bool:
        """True once somebody wanted the component to run, until `forget`."""
        return self.timeline is not None

    @property
    def wanted(self) -> bool:
        """True while the component should run."""
        return self._life is not None and self.state not in (State.STOPPING, State.STOPPED)

    @property
    def under_command(self) -> bool:
        """True while a command starts or stops it, at most for as long as both may take.

        Meanwhile the components that need it may be unwell, and nobody is alerted.
        """
        return self._watch.in_command and (self.wanted or self.state == State.STOPPING)

    @property
    def watched_since(self) -> float | None:
        """Since when trouble of the component counts as an incident, UNIX time; None while it does not count."""
        return self._watch.told_since(wanted=self.wanted)

    @property
    def pid(self) -> int | None:
        """The leader's pid while it runs."""
        return self.process.pid if self.process is not None and self.process.running else None

    @property
    def healthy(self) -> bool:
        """True while it runs, answers and is provisioned."""
        return self.condition.healthy.is_set() and self.pid is not None

    @property
    def health(self) -> Health:
        """What the component answers. Nothing once its process has ended, even before `_live` has seen that."""
        return self.condition.health if self.pid is not None else Health.NONE

    @property
    def paused(self) -> bool:
        """True while its leader is stopped by a signal."""
        return self.process is not None and self.process.paused

    @property
    def _paused_reason(self) -> str:
        return f"stopped by a signal (SIGSTOP); lakeproof kill {self.name} --signal CONT wakes it"

    @property
    def owes_goodbye(self) -> bool:
        """True where before_stop has to run before the component ends."""
        return self.condition.healthy.is_set() or self.component.always_goodbye

    @property
    def own_pids(self) -> set[int]:
        """The pids whose exit code this keeper waits for; nobody else may collect these."""
        leader = self.process.pid if self.process is not None else None
        return {pid for pid in (leader, self._hooks.pid) if pid is not None}

    def log_tail(self) -> list[str]:
        """The last lines of the component's log."""
        return logfile.tail(self.context.stack.log_path(self.name), LOG_LINES)

    # commands

    def hand(self, variables: dict[str, str]) -> None:
        """Give the component these variables from its next start on. Raises: InvalidInput if it runs with others."""
        daemons = service_variables(os.environ, self.component.name)
        if self.wanted and daemons | variables != daemons | self.variables:
            raise InvalidInput(
                "it runs with other SERVICE_…, ALERTMANAGER_… or reservation variables, read only at its start",
                where=self.name,
                next_action=f"lakeproof stop {self.name}, then start it again with them",
            )
        self.variables = variables

    async def want(self) -> None:
        """Start the component unless it is kept already. One that failed is tried anew."""
        async with self._turn:
            self.tries.forgive()
            if self._life is None or self._life.done():
                self.tries.begin_life()
                self._watch.begin_command()
                self._turn_to(State.WAITING)
                self._life = asyncio.create_task(self._live(), name=f"keep {self.name}")

    async def freeze(self) -> None:
        """Keep the component no longer: its process goes on, and is not started again when it dies.

        Called before the whole stack is stopped.
        """
        self._watch.begin_command()
        async with self._turn:
            await self._end_life()

    async def stop(self, *, goodbye: bool = True, watched: bool = False) -> bool:
        """Stop the component: before_stop (unless the caller ran it), its stop signal, at last SIGKILL for the rest.

        watched: its absence goes on to raise alerts, as after a crash.
        False when it did not run. A second caller waits for the first.
        """
        async with self._turn:
            if not watched:
                self._watch.begin_command()
            return await self._stop(goodbye=goodbye)

    async def forget(self) -> bool:
        """Stop the component and be as if it had never been wanted; False where it never was.

        All of this holds the turn, so a `want` that comes meanwhile waits, and then starts from this same keeper.
        """
        async with self._turn:
            if not self.known:
                return False
            self._watch.begin_command()
            await self._stop(goodbye=True)
            self.tries = Tries(self.context.pace)
            self.ready_seconds = self.process = self.timeline = None
            return True

    async def _stop(self, *, goodbye: bool) -> bool:
        if self.state == State.STOPPED:
            return False
        owes_goodbye = self.owes_goodbye
        self._turn_to(State.STOPPING)
        await self._end_life()
        if goodbye and owes_goodbye:
            await self.say_goodbye()
        self._tell("stopping", f"{self.component.stop_signal} sent" if self.pid else "")
        await self._end_process()
        await self._take_down()
        self._turn_to(State.STOPPED)
        self.condition.be_gone()
        self._tell("stopped", "")
        return True

    async def say_goodbye(self) -> None:
        """Run the component's before_stop, where it has one. A failure is reported, and the stop goes on."""
        if Hook.BEFORE_STOP in self.component.hooks and (self.pid is not None or self.component.always_goodbye):
            self._tell("goodbye", "before_stop runs")
            try:
                await self._hooks.run(Hook.BEFORE_STOP, BEFORE_STOP_SECONDS)
            except LakeproofError as error:
                self._tell("goodbye", f"went wrong, stopping all the same: {error.what}")

    def send(self, number: signal.Signals, *, counted: bool = True) -> int:
        """Send a signal to all its processes. Gives how many. Raises: InvalidInput when none runs.

        counted: where the signal ends the component, the start that follows counts as one of its restarts.
        """
        if self.process is None or self.pid is None:
            raise InvalidInput("it does not run", where=self.name, next_action=f"lakeproof start {self.name}")
        if not counted:
            self.tries.expect_end()
        return self.process.signal_all(number)

    async def kill_for(self, other: str) -> None:
        """Kill the component at once, because `other` died and must not be outlived; `_live` starts it again."""
        if self.process is not None and self.process.running:
            self._tell("exited", f"killed, for it must not outlive {other}")
            self.tries.excuse()
            await self._kill_everything()

    # one life

    async def _live(self) -> None:
        """Start the component again and again, until it is stopped or cannot be started without help."""
        while True:
            before = self.process
            try:
                await self._one_life()
            except (PortTaken, TransientError) as error:
                reason, final = error.what, False
            except (TerminalError, InvalidInput) as error:
                # A component that was healthy before is tried again: the reason may go away (a full disk).
                reason, final = error.message, self.ready_seconds is None
            except LakeproofError as error:
                reason, final = error.message, False
            except Exception as error:
                log.exception("component %s", self.name)
                reason, final = f"{type(error).__name__}: {error}", False
            else:
                return
            await self._after_death(reason)
            if final:
                self._turn_to(State.FAILED)
                self._tell("failed", reason)
                return
            pause = self.tries.next_pause_seconds()
            self._turn_to(State.EXITED)
            self._tell("exited", f"{reason}; again in {pause:.0f} s")
            await asyncio.sleep(pause)
            # Only a try that had a process counts: a port or a file that is taken ends a try before that.
            if self.process is not before:
                self.tries.count_restart()

    async def _one_life(self) -> None:
        """One life of the component, from waiting to death. Raises: the error that ended it."""
        component, stack = self.component, self.context.stack
        self.condition.be_gone()
        self._turn_to(State.WAITING)
        needs = component.needs if component.waits_for is None else component.waits_for(stack)
        self.timeline = Timeline(component.name, needs, component.provision_needs, time.monotonic())
        await self._wait_for(needs, "")
        self._mark(needed=time.monotonic())
        self._turn_to(State.PREPARING)
        if component.prepare is not None or Hook.PREPARE in component.hooks:
            self._tell("preparing", "")
        if Hook.PREPARE in component.hooks:
            await self._hooks.run(Hook.PREPARE, PREPARE_SECONDS, self.variables)
        command = await self._preparation.run()
        ports.check_free([component], stack, supervisor=False)
        self._mark(prepared=time.monotonic())
        environment = child_environment(stack, self.context.run_id, self.name, command, self.variables)
        self.process = process.start(command, environment, stack.log_path(self.name), stack.state_dir)
        self._turn_to(State.RUNNING)
        self.condition.health = Health.STARTING
        self._tell("starting", f"pid {self.process.pid}")
        await self.process.while_running(self._serve(self.process))

    async def _serve(self, running: Process) -> None:
        """Wait until the component is ready, provision it, then ask it for ever. Raises: as `_until_ready`."""
        readiness = Readiness(self.component, self.context.stack, self.context.threads)
        pace = self.context.pace
        pause = pace.health_over_http if "http" in self.component.ports else pace.health
        await self._until_ready(readiness, running)
        self._mark(ready=time.monotonic())
        if Hook.PROVISION in self.component.hooks:
            await self._provision()
        self._become_healthy(time.monotonic() - running.started_at)
        # Priority is lowered only now: while a stack starts, other components wait for most of those that yield.
        has_its_share = self.component.nice == 0
        while True:
            has_its_share = has_its_share or share.step_back(running.members(), self.component.nice)
            await asyncio.sleep(pace.suspect if readiness.failures else pause)
            if running.paused:
                readiness.count_failure(self._paused_reason)
            elif await readiness.ask():
                self.condition.reason = ""
                if self.condition.health == Health.UNHEALTHY:
                    self._become_healthy(None)
                continue
            self.condition.reason = readiness.last_answer
            if readiness.failures >= pace.failures_to_unhealthy and self.condition.health == Health.HEALTHY:
                self._become_unhealthy(readiness.last_answer)

    async def _until_ready(self, readiness: Readiness, running: Process) -> None:
        """Ask until the component is ready. Raises: TransientError past its time.

        A component that a signal has stopped is not ended, so that people can see that it is stopped.
        """
        least = self.context.pace.first_start if self.ready_seconds is None else 0.0
        deadline = Deadline(max(least, self.component.start_seconds))
        while not await readiness.ask():
            self.condition.reason = readiness.last_answer
            if deadline.expired:
                if not running.paused:
                    self.tries.too_slow = True
                    raise TransientError(f"not ready within {deadline.seconds:.0f} s: {readiness.last_answer}")
                if self.condition.health != Health.UNHEALTHY:
                    self._become_unhealthy(self._paused_reason)
            await asyncio.sleep(self.context.pace.ready)
        self.condition.reason = ""

    async def _provision(self) -> None:
        """Run the provision hook until it succeeds. Between failures the component runs on, and is unhealthy."""
        backoff = Backoff(self.context.pace)
        while True:
            await self._wait_for(self.component.provision_needs, "before it can be provisioned")
            self._mark(provision_began=time.monotonic())
            self._tell("provisioning", "")
            try:
                await self._hooks.run(Hook.PROVISION, max(PROVISION_SECONDS_MIN, self.component.start_seconds))
                return
            except TransientError as error:
                self.tries.failures += 1
                pause = backoff.next_seconds()
                self._become_unhealthy(f"{error.what}; again in {pause:.0f} s")
                await asyncio.sleep(pause)

    async def _wait_for(self, names: Sequence[str], why: str) -> None:
        """Wait until all these components are healthy at once. `why`: the end of the message."""
        told = ""
        while True:
            missing = [name for name in names if not self._others[name].condition.healthy.is_set()]
            if not missing:
                return
            text = f"for {', '.join(missing)} {why}".strip()
            if text != told:
                self._tell("waiting", text)
                self.condition.reason = f"waiting {text}"
                told = text
            await self._others[missing[0]].condition.healthy.wait()

    # ends

    async def _after_death(self, reason: str) -> None:
        """End what is left of the component, and the components that must not outlive it, before the next start."""
        self.tries.failures += 1
        self.condition.be_gone(reason)
        await self._hooks.end()
        if self.process is not None and self.process.running:
            await self._end_process()
        elif self.process is not None:
            await self._kill_everything()
        await self._take_down()

    async def _take_down(self) -> None:
        await asyncio.gather(
            *(self._others[name].kill_for(self.name) for name in self.component.takes_down if name in self._others)
        )

    async def _end_life(self) -> None:
        """Stop keeping the component; its process goes on for now."""
        life, self._life = self._life, None
        if life is not None:
            await cancel(life)
        await self._hooks.end()

    async def _end_process(self) -> None:
        """Send the stop signal, wait for stop_seconds, then send SIGKILL to all processes of the component."""
        running = self.process
        if running is None:
            return
        if not await ask_to_end(running, self.component.stop_signal, self.component.stop_seconds):
            self._tell("stopping", f"did not end within {self.component.stop_seconds:.0f} s, SIGKILL")
        await self._kill_everything()

    async def _kill_everything(self) -> None:
        if self.process is not None:
            await kill_component(self.process, self.context.run_id, self.name)

    # records

    def _become_healthy(self, ready_seconds: float | None) -> None:
        self.condition.be_well()
        self.tries.forgive()
        self._watch.be_well()
        if ready_seconds is not None:
            self.ready_seconds = ready_seconds
            self._mark(healthy=time.monotonic())
            self._tell("ready", f"after {ready_seconds:.1f} s")
        else:
            self._tell("healthy", "answers again")

    def _become_unhealthy(self, reason: str) -> None:
        self.condition.be_unwell(reason)
        self._tell("unhealthy", reason)

    def _turn_to(self, state: State) -> None:
        if not may_follow(self.state, state):
            log.error("component %s: %s after %s is not in the table", self.name, state, self.state)
        self.state = state

    def _mark(self, **times: float) -> None:
        if self.timeline is not None:
            self.timeline = replace(self.timeline, **times)  # type: ignore[arg-type]

    def _tell(self, what: str, text: str) -> None:
        self.context.emit(Event(self.name, what, text))
