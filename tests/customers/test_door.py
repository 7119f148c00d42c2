"""No run begins at a wrong address, and nothing is written then."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.conftest import serving

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof_shop.customers.shoppers.door import check_url, require_open


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A shop whose health is this."""
    with serving(lambda _method, path, _body: (status if path == "/health" else 404, body)) as address:
        yield f"http://{address}"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "nope",
            "",
            "127.0.0.1:8001",
            "ftp://host:1",
            "http://",
            "http://:80",
            "http://host:port",
            "http://host:99999",
        ),
        *("http://a b:1", "http://host/?q=1", "http://user@host"),
    ],
)
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    with pytest.raises(InvalidInput, match="is no address of a shop"):
        require_open(url)


def test_an_address_may_have_a_path() -> None:
    assert check_url("https://shop.example/orders-api/") == "https://shop.example/orders-api/"


def test_a_healthy_shop_is_open() -> None:
    body = {"status": "healthy", "dependencies": {"mysql": {"status": "healthy", "seconds": 0.1, "problem": ""}}}
    with answering(200, json.dumps(body).encode()) as url:
        require_open(url)
        require_open(f"{url}/")


def test_a_shop_without_its_database_says_why() -> None:
    body = {"status": "unhealthy", "dependencies": {"mysql": {"problem": "cannot connect (2003)"}}}
    with answering(503, json.dumps(body).encode()) as url, pytest.raises(TerminalError) as refused:
        require_open(url)
    assert "the shop is unhealthy: mysql: cannot connect (2003)" in refused.value.message


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[]", b'{"status": "ok"}', b"null"])
def test_another_server_is_no_shop(body: bytes) -> None:
    with answering(200, body) as url, pytest.raises(TerminalError, match="without an order service's words"):
        require_open(url)


def test_nobody_there_is_said() -> None:
    with answering(200, b"") as url:
        pass
    with pytest.raises(TerminalError, match="no shop answers"):
        require_open(url)
