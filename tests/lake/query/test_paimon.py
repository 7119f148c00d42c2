"""The session in which the lake's own tables are written."""

import json
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof.lake.query.answer import EngineUnreachable
from lakeproof.lake.query.paimon import paimon
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_its_statements_end_before_they_are_answered_and_have_the_name_by_which_they_are_ended(
    tmp_path: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    properties: dict[str, str] = {}

    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        told = json.loads(body) if body else {}
        properties.update(told.get("properties", {}))
        asked.append(told.get("statement") or f"{method} {path}")
        if path.endswith("/statements"):
            return 200, {"operationHandle": "1"}
        if "result" in path:
            return 200, {"resultType": "EOS", "results": {"columns": [], "data": []}}
        return 200, {"sessionHandle": "7"}

    monkeypatch.setattr("lakeproof.lake.query.paimon.start_gateway", lambda *_: None)
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"flink-sql-gateway": {"http": answering(answer)}}))
    with paimon(stack, "lakeproof-write-oltp") as session:
        session.run("DELETE FROM store.oltp.orders", Deadline(5))
        assert session.url == f"{stack.url('flink-sql-gateway')}/v1/sessions/7"
    assert properties["pipeline.name"] == "lakeproof-write-oltp"
    assert properties["table.dml-sync"] == "true" and properties["restart-strategy.type"] == "none"
    assert (properties["execution.runtime-mode"], properties["parallelism.default"]) == ("batch", "1")
    assert asked[0] == "POST /v1/sessions" and asked[-1] == "DELETE /v1/sessions/7"
    assert any(each.startswith("CREATE CATALOG store WITH ('type' = 'paimon'") for each in asked)


def test_a_session_that_could_not_be_closed_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else may write to the lake before this session is closed."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            raise httpx.ReadTimeout("timed out", request=request)
        return httpx.Response(200, json={"sessionHandle": "7", "operationHandle": "1", "resultType": "EOS"})

    client = partial(httpx.Client, transport=httpx.MockTransport(answer))
    monkeypatch.setattr("lakeproof.lake.query.flink.httpx.Client", client)
    monkeypatch.setattr("lakeproof.lake.query.paimon.start_gateway", lambda *_: None)
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"flink-sql-gateway": {"http": "gateway:8083"}}))
    with pytest.raises(EngineUnreachable, match="ReadTimeout"), paimon(stack):
        pass
