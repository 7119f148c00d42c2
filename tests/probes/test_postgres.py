"""PostgreSQL's liveness by what a socket says."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakeproof.lake.sources.source import SHOP
from lakeproof.probes.databases import capture_login
from lakeproof.probes.postgres import answers
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def stack_at(port: int, state_dir: Path) -> Stack:
    return Stack(Settings(state_dir=state_dir, endpoints={"postgres": {"tcp": f"127.0.0.1:{port}"}}))


def error_message(code: str, text: str) -> bytes:
    """An ErrorResponse of the wire protocol."""
    fields = b"".join(
        kind + value + b"\0" for kind, value in ((b"S", b"FATAL"), (b"C", code.encode()), (b"M", text.encode()))
    )
    return b"E" + struct.pack("!i", 4 + len(fields) + 1) + fields + b"\0"


def test_a_closed_port_is_refused_and_one_that_says_nothing_silent(listener: socket.socket, tmp_path: Path) -> None:
    port: int = listener.getsockname()[1]
    assert answers(stack_at(port, tmp_path), 0.3) == "silent"
    listener.close()
    assert answers(stack_at(port, tmp_path), 0.3) == "refused"


@pytest.mark.parametrize(
    ("code", "text", "word"),
    [
        ("28P01", 'password authentication failed for user "reader"', "rejected"),
        ("28000", 'role "reader" is not permitted to log in', "rejected"),
        ("57P03", "the database system is starting up", "starting"),
        ("57P03", "the database system is not accepting connections", "starting"),
        ("57P03", "the database system is shutting down", "shuts down"),
        ("53300", "sorry, too many clients already", "error 53300"),
        ("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute", "error 53300"),
        ("53300", 'too many connections for role "reader"', "error 53300"),
        ("XX000", "something new", "refuses to connect"),
    ],
)
def test_an_answer_that_lets_nobody_in_is_told(
    listener: socket.socket, tmp_path: Path, code: str, text: str, word: str
) -> None:
    with refusing(listener, error_message(code, text)):
        assert answers(stack_at(listener.getsockname()[1], tmp_path), 2.0) == word


@pytest.mark.parametrize(
    ("code", "text", "word"),
    [
        ("28P01", 'password authentication failed for user "cdc"', "rejected"),
        ("28000", "no pg_hba.conf entry", "rejected"),
        ("28000", 'role "cdc" is not permitted to log in', "accepted"),
        ("42501", 'permission denied for database "shop"', "accepted"),
    ],
)
def test_a_capture_that_may_not_log_in_has_no_wrong_password(
    listener: socket.socket, tmp_path: Path, code: str, text: str, word: str
) -> None:
    with refusing(listener, error_message(code, text)):
        assert capture_login(stack_at(listener.getsockname()[1], tmp_path), 2.0, SHOP) == word


@contextmanager
def refusing(listener: socket.socket, message: bytes) -> Iterator[None]:
    """A server that tells its first client this."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(message)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    thread.join(5)
