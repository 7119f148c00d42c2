"""What a session sends to PostgreSQL. No server."""

from typing import Any

import pytest

from lakeproof.stack.postgres_session import Session


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
