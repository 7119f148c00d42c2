"""Another replica under the connector's server id: what is refused before an account is given anything."""

from collections.abc import Iterator

import pytest

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.sources import mariadb
from lakeproof.probes.connect import SERVER_ID_TAKEN
from lakeproof.processes import detached
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connector_failure import faults


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the account for reports is given."""
    made: list[str] = []
    monkeypatch.setattr(mariadb, "give", lambda stack, user, privilege: made.append(privilege))
    monkeypatch.setattr(detached, "start", lambda *_: None)
    monkeypatch.setattr(detached, "find", lambda *_: [7])
    monkeypatch.setattr(faults, "live_config", lambda *_: {"database.server.id": "5502"})
    return made


@pytest.mark.parametrize("config", [None, {"topic.prefix": "shop"}], ids=["not there", "PostgreSQL's"])
def test_a_connector_without_a_server_id_is_refused_before_the_account_may_read_the_binlog(
    stack: Stack, given: list[str], monkeypatch: pytest.MonkeyPatch, config: dict[str, str] | None
) -> None:
    monkeypatch.setattr(faults, "live_config", lambda *_: config)
    with pytest.raises(InvalidInput, match="no connector of that name with a server id"):
        faults.TakenServerId().inject(stack)
    assert given == []


def test_a_slow_answer_of_kafka_connect_does_not_end_the_wait_for_the_tasks_failure(
    stack: Stack, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: Iterator[CouldNotLook | str] = iter([CouldNotLook("no answer", where="connect"), SERVER_ID_TAKEN])

    def failure(*_: object) -> str:
        seen = next(answers)
        if isinstance(seen, CouldNotLook):
            raise seen
        return seen

    monkeypatch.setattr(faults, "task_failure", failure)
    faults.TakenServerId().inject(stack)
    assert given == list(faults.PRIVILEGES)
