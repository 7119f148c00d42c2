"""What a session sends to PostgreSQL. No server."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from lakeproof.errors import TransientError
from lakeproof.stack import postgres_session
from lakeproof.stack.postgres_session import Session, transient_connection
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_a_tuple_is_sent_as_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    class Answer:
        description = None

    def execute(self: Session, sql: bytes, values: Any) -> Answer:
        sent.append(values)
        return Answer()

    monkeypatch.setattr(Session, "execute", execute)
    session = object.__new__(Session)
    monkeypatch.setattr(Session, "__del__", lambda self: None)
    session.rows("SELECT $1::text[], $2", ("a", "b"), 7)
    session.rows("SELECT 1")
    assert sent == [[["a", "b"], 7], None]


@pytest.mark.parametrize("trouble", [ConnectionRefusedError("nobody listens"), psycopg.OperationalError("too many")])
def test_a_trouble_of_connecting_or_of_the_block_may_be_tried_again(
    trouble: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Session:
        closed = False

        def close(self) -> None:
            self.closed = True

    def refuse(*_: object) -> Session:
        raise trouble

    session, stack = Session(), Stack(Settings(state_dir=tmp_path))
    for connect in (refuse, lambda *_: session):
        monkeypatch.setattr(postgres_session, "connect", connect)
        with (
            pytest.raises(TransientError, match=str(trouble)),
            transient_connection(stack, "reader", "postgres-reader", 1.0),
        ):
            raise trouble
    assert session.closed
