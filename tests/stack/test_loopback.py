import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lakeproof.errors import NotReady
from lakeproof.stack.loopback import require_itself, require_ok

type Answering = Callable[[int, str], str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A server that gives one answer to every GET; gives its address."""
    servers: list[HTTPServer] = []

    def serve(status: int, body: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/health"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_a_server_says_instead_of_ok_is_told(answering: Answering) -> None:
    with pytest.raises(NotReady, match="answered 503: its work thread is stuck"):
        require_ok(answering(503, "its work thread is stuck"), "connect", 5.0)


def test_of_a_services_health_what_is_ill_is_told_by_name(answering: Answering) -> None:
    health = {
        "status": "starting",
        "dependencies": {
            "cassandra": {"status": "unhealthy", "seconds": 0.1, "problem": "Unavailable: no QUORUM"},
            "kafka": {"status": "healthy", "seconds": 0.1, "problem": ""},
        },
    }
    with pytest.raises(NotReady, match=r"answered 503: cassandra: Unavailable: no QUORUM$"):
        require_ok(answering(503, json.dumps(health)), "inventory-service", 5.0)


def test_a_component_that_names_itself_is_itself_whatever_its_status(answering: Answering) -> None:
    require_itself(answering(503, '{"service": "lag-exporter"}'), "lag-exporter", 5.0)


@pytest.mark.parametrize(
    ("body", "told"),
    [('{"service": "another"}', "somebody else"), ("[]", "AttributeError"), ("<html>", "JSONDecodeError")],
)
def test_whoever_else_answers_on_its_port_is_not_ready(answering: Answering, body: str, told: str) -> None:
    with pytest.raises(NotReady, match=told):
        require_itself(answering(200, body), "lag-exporter", 5.0)
