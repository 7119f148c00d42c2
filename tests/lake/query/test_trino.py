"""A statement that is left early does not go on in Trino."""

from pathlib import Path

import pytest
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof.lake.query import trino
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_a_statement_that_is_interrupted_at_its_first_page_is_cancelled(answering: Answering, tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(f"{method} {path}")
        return 200, {"nextUri": f"http://{address}/v1/statement/queued/q7/1", "stats": {"state": "QUEUED"}}

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    address = answering(answer)
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"trino": {"http": address}}))
    with pytest.raises(KeyboardInterrupt):
        trino.run(stack, "SELECT 1", Deadline(10), progress=interrupt)
    assert asked == ["POST /v1/statement", "DELETE /v1/statement/queued/q7/1"]
