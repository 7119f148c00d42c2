"""The ring's first node, which starts alone: what its provision makes of a login that is not taken there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cassandra import AuthenticationFailed
from cassandra.cluster import NoHostAvailable

from lakeproof.errors import NotReady, TerminalError
from lakeproof.provisioning import cassandra_seed
from lakeproof.stack import provisioned
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_roles import SUPERUSER
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

# As Cassandra 5.0.4 says it.
WRONG = 'Error from server: code=0100 [Bad credentials] message="Provided username x and/or password are incorrect"'
ELSEWHERE = (
    'Error from server: code=0100 [Bad credentials] message="Unable to perform authentication: '
    'Cannot achieve consistency level LOCAL_ONE"'
)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    made = Stack(Settings(state_dir=tmp_path))
    provisioned.remember(made, cassandra.SEED, "superuser", SUPERUSER)
    return made


def refuse(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    @contextmanager
    def session(*_: Any, **__: Any) -> Iterator[None]:
        raise NoHostAvailable("Unable to connect to any servers", {"127.0.0.1:9042": AuthenticationFailed(said)})
        yield

    monkeypatch.setattr(cassandra_seed, "session", session)


def all_is_made(stack: Stack) -> None:
    for name, digest in zip(("tables", "roles"), cassandra_seed._digests(), strict=True):
        provisioned.remember(stack, cassandra.SEED, name, digest)


def test_a_first_node_of_four_that_lacks_the_account_comes_up_where_all_is_made(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, ELSEWHERE)
    all_is_made(stack)
    cassandra_seed.provision(stack)


def test_where_something_is_to_be_made_the_password_is_not_blamed_for_that(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, ELSEWHERE)
    with pytest.raises(NotReady, match="Cannot achieve consistency level"):
        cassandra_seed.provision(stack)


def test_a_wrong_password_is_said_also_where_all_is_made(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, WRONG)
    all_is_made(stack)
    with pytest.raises(TerminalError, match=r"secrets\.json is not the one"):
        cassandra_seed.provision(stack)
