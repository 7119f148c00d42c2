"""The kinds of silence: refused, accepted without an answer, answered."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT, get_json, liveness


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = {"/missing": 404, "/broken": 500}.get(self.path, 200)
        body = b"not json" if self.path == "/text" else b'{"state": "RUNNING"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    answering = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=answering.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{answering.server_port}"
    answering.shutdown()
    thread.join()
    answering.server_close()


def test_any_status_is_an_answer(server: str) -> None:
    assert liveness(f"{server}/", 1) == ANSWERS
    assert liveness(f"{server}/broken", 1) == ANSWERS


def test_a_port_that_accepts_and_says_nothing_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert liveness(f"http://127.0.0.1:{listening.getsockname()[1]}/", 0.1) == SILENT


def test_a_closed_port_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert liveness(f"http://127.0.0.1:{port}/", 1) == REFUSED


def test_not_found_is_nothing_there_and_all_else_is_no_answer(server: str) -> None:
    assert get_json(f"{server}/", 1) == {"state": "RUNNING"}
    assert get_json(f"{server}/missing", 1) is None
    for path in ("/broken", "/text"):
        with pytest.raises(CouldNotLook):
            get_json(f"{server}{path}", 1)
