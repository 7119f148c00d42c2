"""The daemon's side of the socket: each request a coroutine, each error an answer."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import Any

from lakeproof.errors import InvalidInput, LakeproofError, TerminalError
from lakeproof.processes import ports, timeline
from lakeproof.processes.codebase import codebase
from lakeproof.processes.environment import service_variables, settings_environment
from lakeproof.processes.events import Event
from lakeproof.processes.keeper import Keeper
from lakeproof.processes.kept_stack import KeptStack
from lakeproof.processes.protocol import HEARTBEAT_SECONDS, LINE_BYTES_MAX, SIGNALS, encode, error_to_json
from lakeproof.processes.start_failure import describe_failure, gave_up
from lakeproof.processes.states import State
from lakeproof.stack.closure import closure
from lakeproof.unknown_name import unknown_name

LOOK_SECONDS = 0.25
LONGEST_REASON = 120

type Send = Callable[[dict[str, Any]], None]

log = logging.getLogger(__name__)


class Server:
    """Answers requests about one stack."""

    def __init__(self, kept: KeptStack) -> None:
        self._kept = kept
        self._callers: set[asyncio.Task[Any]] = set()
        self._asked: set[asyncio.Task[Any]] = set()

    async def listen(self, path: Path) -> asyncio.Server:
        """Listen on the socket, which only its owner may use."""
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._answer, path, limit=LINE_BYTES_MAX)
        path.chmod(0o600)
        return server

    async def finish(self, seconds: float) -> None:
        """Wait until requests under way have their answer, above all the `down` that ends us; then hang up."""
        if self._asked:
            await asyncio.wait(self._asked, timeout=seconds)
        for task in self._callers:
            task.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        try:
            line = await reader.readline()
            self._asked.add(task)
            await self._converse(line, writer)
        except asyncio.CancelledError:
            log.info("hung up on a caller, for the supervisor ends")
        except (ValueError, ConnectionError) as error:
            log.warning("a caller's request could not be read: %s", error)
        finally:
            self._callers.discard(task)
            self._asked.discard(task)
            writer.close()

    async def _converse(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        def send(message: dict[str, Any]) -> None:
            if not writer.is_closing():
                writer.write(encode(message))

        try:
            request = json.loads(line)
            answer = await self._do(request, send)
            send({"done": answer})
        except LakeproofError as error:
            send({"error": error_to_json(error)})
        except (ValueError, KeyError, TypeError) as error:
            send({"error": error_to_json(InvalidInput(f"not a request: {error!r}", where="supervisor"))})
        except Exception as error:
            log.exception("a request failed")
            send({"error": error_to_json(TerminalError(f"{type(error).__name__}: {error}", where="supervisor"))})
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    async def _do(self, request: dict[str, Any], send: Send) -> Any:
        kept = self._kept
        match request["do"]:
            case "hello":
                return {
                    "run_id": kept.run_id,
                    "code": asdict(codebase()),
                    "settings": settings_environment(kept.stack),
                    "closing": kept.closing,
                }
            case "ps":
                return [asdict(row) for row in kept.rows()]
            case "chain":
                lines = {name: one.timeline for name, one in kept.keepers.items() if one.timeline is not None}
                return [asdict(step) for step in timeline.slow_chain(lines)]
            case "up":
                async with self._telling(send, self._still):
                    return await self._up(list(request["names"]))
            case "down":
                async with self._telling(send, self._still_stopping):
                    stopped = await kept.stop()
                kept.end()
                return stopped
            case "kill":
                number = SIGNALS.get(str(request["signal"]).upper().removeprefix("SIG"))
                if number is None:
                    raise unknown_name("signal", str(request["signal"]), SIGNALS)
                return self._keeper(request["name"]).send(number, counted=bool(request.get("counted", True)))
            case "stop":
                async with self._telling(send, self._still_stopping):
                    return await self._keeper(request["name"]).stop(watched=bool(request.get("watched")))
            case "forget":
                async with self._telling(send, self._still_stopping):
                    return await self._keeper(request["name"]).forget()
            case "start":
                return await self._start(request["name"], request.get("variables"), send)
            case "restart":
                keeper = self._keeper(request["name"])
                self._require_free_ports(self._parts([keeper.name]))
                async with self._telling(send, self._still_stopping):
                    await keeper.stop()
                return await self._start(request["name"], request.get("variables"), send)
            case "handed":
                return self._keeper(request["name"]).variables
        raise InvalidInput(f"no request {request['do']!r}", where="supervisor")

    def _keeper(self, name: str) -> Keeper:
        keeper = self._kept.keepers.get(name)
        if keeper is None:
            raise unknown_name("component", name, self._kept.keepers)
        return keeper

    async def _start(self, name: str, variables: Mapping[str, str] | None, send: Send) -> list[str]:
        """As `_up`, for one component. variables: those it gets from now on; None: those of its last start."""
        if variables is not None:
            self._keeper(name).hand(service_variables(variables, name))
        async with self._telling(send, self._still):
            return await self._up([name])

    async def _up(self, names: list[str]) -> list[str]:
        """Start what is missing in the closure, and wait until all of it is healthy.

        Gives the names that were not running before.
        """
        kept = self._kept
        if kept.closing:
            raise TerminalError("it is being stopped", where=f"stack {kept.stack.name}", next_action="try again")
        keepers = self._parts(names)
        self._require_free_ports(keepers)
        missing = [keeper for keeper in keepers if not keeper.wanted]
        with self._events() as news:
            for keeper in keepers:
                if kept.closing:  # a `down` or SIGTERM came during the `want` before, which may wait for its turn
                    break
                await keeper.want()
            while not all(keeper.healthy for keeper in keepers):
                if kept.closing:
                    raise TerminalError("stopped while it was starting", where=f"stack {kept.stack.name}")
                for keeper in keepers:
                    if gave_up(keeper):
                        raise describe_failure(keeper)
                # Changes come as events. Too long an unhealthy time is no event, hence the timeout.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.get(), LOOK_SECONDS)
        return [keeper.name for keeper in missing]

    def _parts(self, names: list[str]) -> list[Keeper]:
        """The keepers of these components and of what they need, in start order."""
        return [self._kept.keepers[name] for name in closure(names, self._kept.components)]

    def _require_free_ports(self, keepers: list[Keeper]) -> None:
        """Raises: PortTaken where another process holds a port of one that is not wanted yet and does not run."""
        missing = [one.component for one in keepers if not one.wanted and one.pid is None]
        ports.check_free(missing, self._kept.stack, supervisor=False)

    @contextmanager
    def _events(self) -> Iterator[asyncio.Queue[Event]]:
        """A queue that gets every event while the block runs."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._kept.events.append(queue)
        try:
            yield queue
        finally:
            self._kept.events.remove(queue)

    @asynccontextmanager
    async def _telling(self, send: Send, still: Callable[[], str]) -> AsyncIterator[None]:
        """Send every event to the caller, and `still()` as progress after HEARTBEAT_SECONDS without an event."""
        with self._events() as queue:

            async def pump() -> None:
                while True:
                    try:
                        event = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
                    except TimeoutError:
                        event = Event("", "progress", still())
                    send({"event": asdict(event)})

            task = asyncio.create_task(pump())
            try:
                yield
            finally:
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                while not queue.empty():
                    send({"event": asdict(queue.get_nowait())})

    def _still(self) -> str:
        """The components that are not healthy yet, and for how long the present start of each has been under way."""
        parts = []
        for keeper in self._kept.keepers.values():
            if keeper.wanted and not keeper.healthy and keeper.timeline is not None:
                # Shortened: several reasons share one line, which comes again and again; `ps` shows them whole.
                reason = (
                    f": {shorten(keeper.condition.reason, LONGEST_REASON, placeholder=' …')}"
                    if keeper.condition.reason
                    else ""
                )
                parts.append(f"{keeper.name} {time.monotonic() - keeper.timeline.wanted:.0f} s{reason}")
        return "; ".join(parts)

    def _still_stopping(self) -> str:
        return ", ".join(one.name for one in self._kept.keepers.values() if one.state == State.STOPPING)
