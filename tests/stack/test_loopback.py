import json
from collections.abc import Callable

import pytest
from tests.conftest import Answering

from lakeproof.errors import NotReady
from lakeproof.stack.loopback import require_itself, require_ok

type Health = Callable[[int, str], str]


@pytest.fixture
def health(answering: Answering) -> Health:
    """`health(status, body)`: the address of a server that gives this one answer."""
    return lambda status, body: f"http://{answering(lambda *_: (status, body.encode()))}/health"


def test_what_a_server_says_instead_of_ok_is_told(health: Health) -> None:
    with pytest.raises(NotReady, match="answered 503: its work thread is stuck"):
        require_ok(health(503, "its work thread is stuck"), "connect", 5.0)


def test_of_a_services_health_what_is_ill_is_told_by_name(health: Health) -> None:
    told = {
        "status": "starting",
        "dependencies": {
            "cassandra": {"status": "unhealthy", "seconds": 0.1, "problem": "Unavailable: no QUORUM"},
            "kafka": {"status": "healthy", "seconds": 0.1, "problem": ""},
        },
    }
    with pytest.raises(NotReady, match=r"answered 503: cassandra: Unavailable: no QUORUM$"):
        require_ok(health(503, json.dumps(told)), "inventory-service", 5.0)


def test_a_component_that_names_itself_is_itself_whatever_its_status(health: Health) -> None:
    require_itself(health(503, '{"service": "lag-exporter"}'), "lag-exporter", 5.0)


@pytest.mark.parametrize(
    ("body", "told"),
    [('{"service": "another"}', "somebody else"), ("[]", "AttributeError"), ("<html>", "JSONDecodeError")],
)
def test_whoever_else_answers_on_its_port_is_not_ready(health: Health, body: str, told: str) -> None:
    with pytest.raises(NotReady, match=told):
        require_itself(health(200, body), "lag-exporter", 5.0)
