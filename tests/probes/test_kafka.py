"""Kafka's liveness by what a socket says."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.probes.kafka import broker_answers
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def stack_at(address: str, state_dir: Path) -> Stack:
    return Stack(Settings(mode="external", state_dir=state_dir, endpoints={"kafka": {"tcp": address}}))


def test_a_closed_port_is_refused_and_one_that_says_nothing_silent(listener: socket.socket, tmp_path: Path) -> None:
    stack = stack_at(f"127.0.0.1:{listener.getsockname()[1]}", tmp_path)
    assert broker_answers(stack, 0.3) == "silent"
    listener.close()
    assert broker_answers(stack, 0.3) == "refused"


def test_a_broker_that_has_hung_for_so_long_that_it_takes_no_connection_is_silent(tmp_path: Path) -> None:
    """Its clients have filled the queue of connections that it does not accept."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as hung, ExitStack() as clients:
        address = hung.getsockname()
        with pytest.raises(TimeoutError):
            while True:
                clients.enter_context(socket.create_connection(address, timeout=0.3))
        assert broker_answers(stack_at(f"127.0.0.1:{address[1]}", tmp_path), 0.3) == "silent"


def test_where_no_connection_could_be_tried_nobody_says_that_it_is_down(tmp_path: Path) -> None:
    """As with a name that is not known: TCP reaches no broadcast address."""
    with pytest.raises(CouldNotLook, match="no connection"):
        broker_answers(stack_at("255.255.255.255:9092", tmp_path), 0.3)
