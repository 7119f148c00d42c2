"""A port of the test's own."""

import socket
from collections.abc import Iterator

import pytest


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """It takes connections and says nothing, until the test accepts them itself or closes it."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made
