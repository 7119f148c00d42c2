"""Redis' liveness by what a socket says."""

import socket
import threading
from pathlib import Path

import pytest

from lakeproof.probes.redis import redis_answers
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def stack_at(port: int, state_dir: Path) -> Stack:
    return Stack(Settings(state_dir=state_dir, endpoints={"redis": {"tcp": f"127.0.0.1:{port}"}}))


def test_a_closed_port_is_refused_and_one_that_says_nothing_silent(listener: socket.socket, tmp_path: Path) -> None:
    port: int = listener.getsockname()[1]
    assert redis_answers(stack_at(port, tmp_path), 0.3) == "silent"
    listener.close()
    assert redis_answers(stack_at(port, tmp_path), 0.3) == "refused"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (b"-WRONGPASS invalid username-password pair\r\n", "rejected"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "starting"),
    ],
)
def test_an_answer_that_is_no_pong_is_told(listener: socket.socket, tmp_path: Path, answer: bytes, word: str) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(4096):
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert redis_answers(stack_at(listener.getsockname()[1], tmp_path), 2.0) == word
    thread.join(5)
