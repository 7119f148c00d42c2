"""Ports and their holders."""

import os
import socket

import pytest

from lakeproof.errors import TerminalError
from lakeproof.processes import ports


def test_the_holder_of_a_listening_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free("127.0.0.1", port)
        assert ports.pid_of_port(port) == os.getpid()
        assert f"pid {os.getpid()}: " in ports.holder_of(port)


def test_the_rest_of_a_closed_connection_does_not_take_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()
    assert ports.is_free("127.0.0.1", port)


def test_a_port_that_cannot_exist_is_a_setting_to_mend() -> None:
    with pytest.raises(TerminalError, match="smaller port_shift"):
        ports.is_free("127.0.0.1", 70000)


def test_an_address_that_is_not_ours_is_a_setting_to_mend() -> None:
    with pytest.raises(TerminalError, match="correct host"):
        ports.is_free("192.0.2.1", 9092)
