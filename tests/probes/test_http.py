"""The kinds of silence: refused, accepted without an answer, answered."""

import socket
from collections.abc import Callable

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT, get_json, liveness


@pytest.fixture
def server(answering: Callable[[Callable[[str, str, bytes], tuple[int, object]]], str]) -> str:
    def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
        status = {"/missing": 404, "/broken": 500}.get(path, 200)
        return status, b"not json" if path == "/text" else {"state": "RUNNING"}

    return f"http://{answering(answer)}"


def test_any_status_is_an_answer(server: str) -> None:
    assert liveness(f"{server}/", 1) == ANSWERS
    assert liveness(f"{server}/broken", 1) == ANSWERS


def test_a_port_that_accepts_and_says_nothing_is_silent_and_a_closed_one_refuses(listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    assert liveness(url, 0.1) == SILENT
    listener.close()
    assert liveness(url, 1) == REFUSED


def test_not_found_is_nothing_there_and_all_else_is_no_answer(server: str) -> None:
    assert get_json(f"{server}/", 1) == {"state": "RUNNING"}
    assert get_json(f"{server}/missing", 1) is None
    for path in ("/broken", "/text"):
        with pytest.raises(CouldNotLook):
            get_json(f"{server}{path}", 1)
