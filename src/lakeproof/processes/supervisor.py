"""Asks a stack's supervisor what runs; client.py can change it. Imports little, so that a short command is quick."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.processes import lock, sweep
from lakeproof.processes.events import Event
from lakeproof.processes.protocol import HEARTBEAT_SECONDS, encode, error_from_json
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.runtime import Runtime
from lakeproof.processes.timeline import Step
from lakeproof.stack.place import Located

SILENCE_SECONDS = HEARTBEAT_SECONDS * 4
LISTEN_SECONDS = 15.0
CUT_OFF = "the supervisor ended in the middle of its answer"

type OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """For callers that want no progress."""


class Supervisor:
    """One stack's supervisor: the questions that change nothing."""

    def __init__(self, place: Located) -> None:
        self.runtime = Runtime(place)

    def running(self) -> bool:
        """True while the stack's daemon lives."""
        return lock.living_holder(self.runtime) is not None

    def left_over(self) -> list[str]:
        """Processes of this stack that run although no daemon does."""
        return [] if self.running() else [sweep.describe(stat) for stat in sweep.find(self.runtime.owns)]

    def died(self) -> bool:
        """True when a daemon ended without cleaning up after itself."""
        return not self.running() and self.runtime.lock.exists()

    def ps(self, seconds: float = SILENCE_SECONDS) -> list[ProcessRow]:
        """All components that were ever wanted. Raises: CouldNotLook when no daemon answers within `seconds`."""
        return [ProcessRow.from_wire(row) for row in self.ask({"do": "ps"}, seconds=seconds)]

    def row(self, name: str) -> ProcessRow:
        """One component as observed now. Raises: CouldNotLook, also when it was never started."""
        for row in self.ps():
            if row.name == name:
                return row
        raise CouldNotLook("it was never started", where=name, next_action=f"lakeproof up {name}")

    def chain(self) -> list[Step]:
        """The chain of steps that the last start-up waited for. Raises: CouldNotLook."""
        return [Step(**step) for step in self.ask({"do": "chain"})]

    def ask(self, request: Mapping[str, Any], on_event: OnEvent = ignore, *, seconds: float = SILENCE_SECONDS) -> Any:
        """Send one request, pass its events to `on_event`, and give its answer.

        The daemon may be silent for `seconds` at a time. Raises: the daemon's error; CouldNotLook when it does not
        answer.
        """
        for message in self._messages(request, seconds):
            if "event" in message:
                on_event(Event.from_json(message["event"]))
            elif "error" in message:
                raise error_from_json(message["error"])
            else:
                return message["done"]
        raise self._no_answer(CUT_OFF)

    def _messages(self, request: Mapping[str, Any], seconds: float) -> Iterator[dict[str, Any]]:
        """The daemon's messages to a request, one by one.

        A generator, so that an error of the caller that handles a message is not taken for the daemon's: a progress
        line written to a closed pipe is an OSError too.
        """
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(seconds)
                self._connect(connection, min(LISTEN_SECONDS, seconds))
                connection.sendall(encode(request))
                with connection.makefile("rb") as lines:
                    for line in lines:
                        yield json.loads(line)
        except ValueError as error:  # half of a line
            raise self._no_answer(CUT_OFF) from error
        except TimeoutError as error:
            raise self._no_answer(f"the supervisor said nothing for {seconds:.0f} s") from error
        except OSError as error:
            if self.running():
                raise self._no_answer(f"the supervisor does not answer: {error.strerror}") from error
            raise self._no_answer("no supervisor runs") from error

    def _connect(self, connection: socket.socket, seconds: float) -> None:
        """Connect; a daemon that holds its lock may need a moment more to listen. Raises: OSError."""
        deadline = Deadline(seconds)
        while True:
            try:
                connection.connect(str(self.runtime.socket))
                return
            except (FileNotFoundError, ConnectionRefusedError):
                if deadline.expired or not self.running():
                    raise
            deadline.pause(0.05)

    def _no_answer(self, what: str) -> CouldNotLook:
        return CouldNotLook(
            what, where=f"stack {self.runtime.stack.name}", next_action="lakeproof up, or lakeproof down"
        )
