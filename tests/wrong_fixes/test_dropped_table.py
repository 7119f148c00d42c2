"""A table that somebody drops on `main`: what Nessie is asked, and that no publisher brings it back."""

import json
from pathlib import Path

import pytest
from tests.conftest import Answering

from lakeproof.lake.nessie import NessieConflict, NessieUnreachable
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.lake_commit_failure.wrong_fixes import DropTable

GIVEN = DropTable()
KEY = {"elements": ["oltp", "orders"]}
HELD = {"metadataLocation": "s3://lake/orders", "snapshotId": 1, "schemaId": 0, "specId": 0, "sortOrderId": 0}


class Nessie:
    """Answers as REST API v2 does, of a branch `main` that holds the table until it is deleted."""

    def __init__(self) -> None:
        self.status, self.holds = 200, True
        self.asked: list[object] = []

    def answers(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        main = {"type": "BRANCH", "name": "main", "hash": "abc"}
        if method == "GET":
            return 200, {"reference": main}
        if path.endswith("/contents"):
            content = HELD | {"type": "ICEBERG_TABLE", "id": "1"}
            return 200, {"contents": [{"key": KEY, "content": content}] if self.holds else []}
        assert path == "/api/v2/trees/main@abc/history/commit"
        self.asked.append(json.loads(body))
        self.holds = self.status != 200
        return self.status, {"targetBranch": main}


@pytest.fixture
def nessie() -> Nessie:
    return Nessie()


@pytest.fixture
def stack(tmp_path: Path, nessie: Nessie, answering: Answering) -> Stack:
    return Stack(Settings(state_dir=tmp_path, endpoints={"nessie": {"http": answering(nessie.answers)}}))


def test_the_table_is_deleted_in_one_commit_of_somebody_s(stack: Stack, nessie: Nessie) -> None:
    assert GIVEN.run(stack) == "oltp.orders is dropped on main"
    (asked,) = nessie.asked
    assert isinstance(asked, dict)
    assert asked["commitMeta"]["authors"] == ["somebody"]
    assert asked["operations"] == [{"type": "DELETE", "key": KEY}]
    assert json.dumps(asked) in GIVEN.typed(stack)
    assert GIVEN.run(stack) == "main has no oltp.orders"
    assert len(nessie.asked) == 1


def test_a_commit_that_nessie_does_not_take_and_a_nessie_that_is_away_are_told(stack: Stack, nessie: Nessie) -> None:
    nessie.status = 409
    with pytest.raises(NessieConflict):
        GIVEN.run(stack)
    away = Stack(stack.settings.model_copy(update={"endpoints": {"nessie": {"http": "127.0.0.1:9"}}}))
    with pytest.raises(NessieUnreachable):
        GIVEN.run(away)
