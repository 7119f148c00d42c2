"""The undo of a connector that somebody made anew without the old data."""

import threading
import weakref
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import TerminalError
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes import connectors as connectors_wrong_fixes


class Admin:
    """Answers a moment later; as the real client does, it gives every call up once nobody holds it."""

    def __init__(self, deleted: list[str]) -> None:
        self.deleted = deleted

    def delete_topics(self, topics: list[str], *, operation_timeout: float) -> dict[str, Future[None]]:
        (topic,) = topics
        held, answer, deleted = weakref.ref(self), Future[None](), self.deleted

        def end() -> None:
            if held() is None:
                answer.set_exception(RuntimeError("Handle is terminating"))
            else:
                deleted.append(topic)
                answer.set_result(None)

        threading.Timer(0.2, end).start()
        return {topic: answer}


def test_the_topic_of_the_new_one_s_history_is_deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stack, sent, deleted = Stack(Settings(state_dir=tmp_path)), list[str](), list[str]()
    monkeypatch.setattr(
        connectors_wrong_fixes, "send", lambda stack, method, path, **_: sent.append(f"{method} {path}")
    )
    monkeypatch.setattr(connectors_wrong_fixes, "register", lambda stack, name: sent.append(f"register {name}"))
    monkeypatch.setattr(connectors_wrong_fixes, "admin", lambda stack: Admin(deleted))
    connectors_wrong_fixes.RecreateConnectorWithoutData().undo(stack)
    assert sent == ["DELETE /connectors/orders-new", "register orders", "PUT /connectors/orders/resume"]
    assert deleted == ["_schema_history_oltp_new"]


def test_a_kafka_that_does_not_answer_the_undo_in_time_is_told(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    silent = SimpleNamespace(delete_topics=lambda topics, **_: {topics[0]: Future[None]()})
    for name, double in {"send": None, "register": None, "admin": silent}.items():
        monkeypatch.setattr(connectors_wrong_fixes, name, lambda *_, double=double, **__: double)
    monkeypatch.setattr(connectors_wrong_fixes, "ASK_SECONDS", 0.01)
    with pytest.raises(TerminalError, match="_schema_history_oltp_new: not deleted: no answer"):
        connectors_wrong_fixes.RecreateConnectorWithoutData().undo(stack)
