"""A store that stands still and goes on: the push that got no answer is neither lost nor stored twice."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.observability.logs.loki_server import Loki, loki_server

from lakeproof.deadline import Deadline
from lakeproof.observability.logs.push import LATE_SECONDS, LogStore, StoreAway
from lakeproof.observability.logs.shipper import Shipper

# Loki knows an entry by its time too, so that each has one of its own.
ONE, TWO = "2026-11-26T20:12:49,258 INFO one", "2026-11-26T20:12:49,260 INFO two"


@dataclass
class Server:
    """VictoriaLogs as far as it is asked here. A push that timed out lies in its socket until it is taken in."""

    kind = "victorialogs"
    url = "http://127.0.0.1:1"
    fails: type[OSError] | None = None
    in_socket: list[bytes] = field(default_factory=list)
    stored: list[list[Any]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> bytes:
        is_push = path.startswith("/insert/")
        if self.fails is not None:
            if is_push and self.fails is TimeoutError:
                self.in_socket.append(body)
            raise self.fails
        if is_push:
            self.store(body)
        found = b"\n".join(json.dumps(value[2]).encode() for value in self.stored)
        if path.startswith("/select/"):
            self.take_in()  # at the latest: right after the look
            return found
        return b""

    def store(self, body: bytes) -> None:
        self.stored += [value for stream in json.loads(body)["streams"] for value in stream["values"]]

    @property
    def texts(self) -> list[str]:
        return [value[1] for value in self.stored]

    @property
    def waiting(self) -> int:
        return len(self.in_socket)

    def take_in(self) -> None:
        while self.in_socket:
            self.store(self.in_socket.pop())

    def pause(self, seconds: float) -> None:
        assert self.fails is None, "paused before the store answers again"
        self.pauses.append(seconds)
        self.take_in()


@dataclass
class Connection:
    """One of http.client, to the server above. It is its own answer."""

    server: Server
    status: int = 200
    asked: tuple[str, bytes] = ("", b"")

    def connect(self) -> None:
        """A kernel accepts for a process that stands still."""

    def request(self, _method: str, path: str, body: bytes | None, _headers: dict[str, str]) -> None:
        self.asked = (path, body or b"")

    def getresponse(self) -> "Connection":
        self.text = self.server.answer(*self.asked)
        return self

    def read(self) -> bytes:
        return self.text

    def close(self) -> None:
        pass


class LokiServer:
    """The same of a local server that keeps Loki's rules, over real connections."""

    kind = "loki"

    def __init__(self, loki: Loki) -> None:
        self._loki, self.url, self.pauses = loki, loki.url, list[float]()
        self._fails: type[OSError] | None = None

    @property
    def fails(self) -> type[OSError] | None:
        return self._fails

    @fails.setter
    def fails(self, kind: type[OSError] | None) -> None:
        self._fails = kind
        self._loki.hangs_up = kind is ConnectionResetError
        (self._loki.goes.clear if kind is TimeoutError else self._loki.goes.set)()

    @property
    def texts(self) -> list[str]:
        return self._loki.texts

    @property
    def waiting(self) -> int:
        return self._loki.waiting

    def pause(self, seconds: float) -> None:
        assert self.fails is None, "paused before the store answers again"
        self.pauses.append(seconds)
        Deadline(10.0).wait_for("what waits", lambda: self.waiting == 0 or None, every=0.01)


@pytest.fixture(params=["victorialogs", "loki"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server | LokiServer]:
    if request.param == "loki":
        monkeypatch.setattr("lakeproof.observability.logs.push.SECONDS", 1.0)
        with loki_server() as loki:
            yield LokiServer(loki)
        return
    made = Server()
    monkeypatch.setattr("http.client.HTTPConnection", lambda *_, **__: Connection(made))
    yield made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    made = tmp_path / "log" / "kafka.log"
    made.write_text(f"{ONE}\n")
    return made


@pytest.fixture
def shipper(server: Server | LokiServer, log: Path) -> Iterator[Shipper]:
    """It has pushed the first line, so that its next push needs no look before."""
    store = LogStore(server.kind, server.url, pause=server.pause)
    made = Shipper(log.parent, log.with_name("places.json"), store)
    made.connect()
    made.go_round(ending=True)
    log.write_text(f"{ONE}\n{TWO}\n")
    yield made
    store.close()


def test_a_push_that_a_store_takes_in_after_it_stood_still_is_not_pushed_again(
    server: Server | LokiServer, shipper: Shipper
) -> None:
    server.fails = TimeoutError
    with pytest.raises(StoreAway):
        shipper.go_round(ending=True)
    assert server.waiting == 1
    for _ in range(2):
        with pytest.raises(StoreAway):
            shipper.connect()
    server.fails = None
    shipper.connect()
    shipper.go_round(ending=True)
    assert server.texts == [ONE, TWO]
    assert server.pauses == [LATE_SECONDS]
    shipper.connect()
    assert server.pauses == [LATE_SECONDS]


def test_after_a_broken_connection_nothing_is_waited_for(server: Server | LokiServer, shipper: Shipper) -> None:
    server.fails = ConnectionResetError
    with pytest.raises(StoreAway):
        shipper.go_round(ending=True)
    server.fails = None
    shipper.connect()
    shipper.go_round(ending=True)
    assert server.texts == [ONE, TWO]
    assert server.pauses == []


@pytest.mark.parametrize("odd", [b"<html>sign in</html>", b'{"log_ends": "7"}', b"7", b"\xff"])
def test_an_odd_answer_of_the_store_is_waited_out_and_ends_no_shipper(
    odd: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Server()
    monkeypatch.setattr("http.client.HTTPConnection", lambda *_, **__: Connection(made))
    store = LogStore(made.kind, made.url)
    store.connect()
    monkeypatch.setattr(made, "answer", lambda *_: odd)
    with pytest.raises(StoreAway, match="no list of entries"):
        store.stored("kafka", 0, 9)
    assert not store.connected, "the next connection goes back to what was not pushed"
