"""A stack as its supervisor keeps it: the keeper, the resource use and the events of every component."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from lakeproof.processes import logfile, orphans, ports
from lakeproof.processes.context import Context
from lakeproof.processes.events import Event
from lakeproof.processes.keeper import Keeper
from lakeproof.processes.pace import Pace
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.shutdown import stop_all
from lakeproof.processes.states import State
from lakeproof.processes.usage import UsageTable
from lakeproof.stack.closure import closure
from lakeproof.stack.component import Component
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 2.0
ROTATE_LOOK_SECONDS = 10.0
LOG_NAME = "supervisor"

log = logging.getLogger(__name__)


class KeptStack:
    """One stack's components, each with its keeper. All methods run in the daemon's loop.

    closing: True once everything is being stopped; from then on nothing is started.
    over: set when the daemon is to end.
    events: a queue for each caller that listens.
    newest_rows: the rows of `ps` at the last look or event.
    """

    def __init__(
        self, stack: Stack, components: Mapping[str, Component], run_id: str, hook_argv: Sequence[str], pace: Pace
    ) -> None:
        self.stack = stack
        self.components = components
        self.run_id = run_id
        self.closing = False
        self.over = asyncio.Event()
        self.events: list[asyncio.Queue[Event]] = []
        self.newest_rows: list[ProcessRow] = []
        self.keepers: dict[str, Keeper] = {}
        self._usage = UsageTable()
        self._closures = {name: closure([name], components) for name in components}
        self._jobs: list[asyncio.Task[None]] = []
        threads = ThreadPoolExecutor(max_workers=96, thread_name_prefix="ask")
        context = Context(stack, run_id, threads, hook_argv, pace, self._emit)
        for name, component in components.items():
            self.keepers[name] = Keeper(component, context, self.keepers)

    def watch(self) -> None:
        """Begin to look at the processes, and to keep their logs small, until the loop ends."""
        self._jobs = [asyncio.create_task(self._look()), asyncio.create_task(self._rotate())]

    async def stop(self) -> list[str]:
        """Stop everything; nothing can be started after. Gives the names that were stopped."""
        self.closing = True
        return await stop_all(self.keepers)

    def end(self) -> None:
        """Stop everything and end the daemon, soon."""
        self.closing = True
        self.over.set()

    def rows(self) -> list[ProcessRow]:
        """All components that were ever wanted, with the newest figures."""
        return [self._row(keeper) for keeper in self.keepers.values() if keeper.known]

    def _row(self, keeper: Keeper) -> ProcessRow:
        use = self._usage.of(keeper.name)
        paused = keeper.state == State.RUNNING and keeper.paused
        pid = keeper.pid
        host = self.stack.settings.host
        return ProcessRow(
            name=keeper.name,
            state=State.PAUSED if paused else keeper.state,
            health=keeper.health,
            pid=pid,
            rss_bytes=use.rss_bytes if pid is not None else 0,
            cpu_percent=use.cpu_percent if pid is not None else 0.0,
            restarts=keeper.tries.restarts,
            ready_seconds=round(keeper.ready_seconds, 2) if keeper.ready_seconds is not None else None,
            endpoints={kind: f"{host}:{port}" for kind, port in ports.ports_of(keeper.component, self.stack).items()},
            log=str(self.stack.log_path(keeper.name)),
            reason=keeper.condition.reason,
            cpu_seconds=use.cpu_seconds,
            watched_since=None if self._stands_on_command(keeper.name) else keeper.watched_since,
        )

    def _stands_on_command(self, name: str) -> bool:
        """True while a command starts or stops a component that this one needs or uses (directly or through others),
        or a component that takes this one down.
        """
        takers = (keeper.name for keeper in self.keepers.values() if name in keeper.component.takes_down)
        return any(self.keepers[other].under_command for other in (*self._closures[name], *takers) if other != name)

    async def _look(self) -> None:
        """Every two seconds: measure the use of each component, and collect zombies that nobody waits for."""
        collector = orphans.OrphanCollector()
        while True:
            try:
                table = self._usage.look({name: keeper.pid for name, keeper in self.keepers.items() if keeper.known})
                own: set[int] = set().union(*(keeper.own_pids for keeper in self.keepers.values()))
                collector.look(table, own)
                self.newest_rows = self.rows()
            except Exception:
                log.exception("looking at the processes failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def _rotate(self) -> None:
        """Keep every log file small."""
        while True:
            await asyncio.sleep(ROTATE_LOOK_SECONDS)
            for name in (LOG_NAME, *(keeper.name for keeper in self.keepers.values() if keeper.known)):
                path = self.stack.log_path(name)
                try:
                    await asyncio.to_thread(logfile.rotate, path)
                except OSError as error:
                    log.warning("cannot rotate %s: %s", path, error)

    def _emit(self, event: Event) -> None:
        log.info("%s: %s %s", event.component, event.what, event.text)
        # At once, so that the next scrape sees the event: a component stopped by a command must not raise an alert.
        self.newest_rows = self.rows()
        for queue in self.events:
            queue.put_nowait(event)
