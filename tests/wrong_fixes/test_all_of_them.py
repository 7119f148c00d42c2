"""Every query killed, every session ended: whose go, and whose are let be."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakeproof.checks.verdict import Outcome
from lakeproof.lake.query.trino_queries import queries
from lakeproof.stack.database_sessions import Server
from lakeproof.stack.engines.trino import USER_RUNNING
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import wrong_fixes
from lakeproof_shop.scenarios.trino_backlog import faults, repairs
from lakeproof_shop.scenarios.trino_backlog.checks import QueriesServed, judge
from lakeproof_shop.scenarios.trino_backlog.wrong_fixes import KillEveryQuery


class Trino:
    """Trino's REST API: a group for each user, in which so many queries run and the others wait."""

    def __init__(self) -> None:
        self.known: list[dict[str, Any]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            self._add(request.headers["x-trino-user"], request.headers["x-trino-source"])
            return httpx.Response(200, json={"nextUri": f"http://{request.url.host}/v1/next"})
        if request.method == "PUT":
            killed = next(one for one in self.known if one["queryId"] == path.split("/")[3])
            killed |= {"state": "FAILED", "errorCode": {"name": "ADMINISTRATIVELY_KILLED"}}
            return httpx.Response(200)
        if path.startswith("/v1/resourceGroupState/"):
            groups = [self._group(user) for user in sorted({one["session"]["user"] for one in self.known})]
            people = {"id": ["people"], "numQueuedQueries": 0, "state": "CAN_RUN", "subGroups": groups}
            return httpx.Response(200, json=people)
        return httpx.Response(200, json=self.known if path == "/v1/query" else {})

    def _count(self, user: str, state: str) -> int:
        return sum(one["session"]["user"] == user and one["state"] == state for one in self.known)

    def _add(self, user: str, source: str) -> None:
        self.known.append(
            {
                "queryId": f"q{len(self.known)}",
                "session": {"user": user, "source": source},
                "resourceGroupId": ["people", user],
                "state": "RUNNING" if self._count(user, "RUNNING") < USER_RUNNING else "QUEUED",
                "queryStats": {"createTime": datetime.now(UTC).isoformat()},
            }
        )

    def _group(self, user: str) -> dict[str, Any]:
        waiting = self._count(user, "QUEUED")
        return {"id": ["people", user], "numQueuedQueries": waiting, "state": "FULL" if waiting else "CAN_RUN"}


@pytest.fixture
def trino(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Trino:
    """Flooded by analyst, with the one query of reporter beside."""
    made, client = Trino(), httpx.Client

    def opened(headers: Any = None, **_: object) -> httpx.Client:
        return client(headers=headers, transport=httpx.MockTransport(made.answer))

    monkeypatch.setattr(httpx, "Client", opened)
    for _ in range(2):  # a second time asks for nothing more
        faults.FloodedResourceGroup().inject(stack)
    return made


def outcome(stack: Stack) -> Outcome:
    return judge(queries(stack), QueriesServed(), 0.0, 0.1).outcome


def test_the_flood_leaves_another_user_s_query_running_and_takes_it_away_at_the_end(
    stack: Stack, trino: Trino
) -> None:
    assert faults.FloodedResourceGroup().sign(stack).seen == "3 queries of analyst run, 9 wait"
    assert (trino._count("reporter", "RUNNING"), len(trino.known)) == (1, 13)
    faults.FloodedResourceGroup().remove(stack)
    assert not any(one.lives for one in queries(stack))


def test_to_kill_one_user_s_queries_is_a_repair_and_to_kill_all_is_none(stack: Stack, trino: Trino) -> None:
    assert outcome(stack) is Outcome.FAILED, "queries wait"
    assert repairs.KillQuery().run(stack) == "killed 12 queries of analyst, 9 of which waited"
    assert outcome(stack) is Outcome.PASSED
    assert KillEveryQuery().run(stack) == "killed 1 queries of reporter"
    assert outcome(stack) is Outcome.FAILED, "another user's query failed"
    assert KillEveryQuery().run(stack) == "killed 0 queries of nobody"


def test_every_query_is_killed_at_once(stack: Stack, trino: Trino) -> None:
    assert KillEveryQuery().run(stack) == "killed 13 queries of analyst, reporter"
    verdict = judge(queries(stack), QueriesServed(), 0.0, 0.1)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.summary == "query q0 of reporter failed: ADMINISTRATIVELY_KILLED"


def test_a_query_beside_the_flood_that_trino_itself_gave_up_was_killed_by_nobody(stack: Stack, trino: Trino) -> None:
    repairs.KillQuery().run(stack)
    trino.known[0] |= {"state": "FAILED", "errorCode": {"name": "ABANDONED_QUERY"}}
    assert outcome(stack) is Outcome.PASSED
    trino.known[0]["session"]["user"] = "somebody"
    assert outcome(stack) is Outcome.FAILED


@pytest.mark.parametrize(
    ("server", "itself", "ending"),
    [
        ("mysql", "CONNECTION_ID()", "KILL CONNECTION {}"),
        ("postgres", "pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    ],
)
def test_every_session_but_the_administrator_s_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server, itself: str, ending: str
) -> None:
    """The administrator may have another name: somebody else's server."""
    said: list[str] = []

    def ask(statement: str, *values: object) -> list[tuple[int]]:
        for value in values:
            statement = statement.replace("%s", repr(value)).replace("$1", repr(value))
        said.append(statement)
        return [(7,), (9,)] if values else []

    @contextmanager
    def administrator(*_: object) -> Iterator[object]:
        yield ask

    monkeypatch.setattr(wrong_fixes, "administrator", administrator)
    stack = Stack(Settings(state_dir=tmp_path, accounts={f"{server}-root": "chief"}))
    step = wrong_fixes.KillAllSessions(database=server)
    assert step.run(stack) == "ended 2 sessions"
    assert "'chief'" in said[0] and itself in said[0]
    assert said[1:] == [ending.format(7), ending.format(9)]
    assert said[0] in step.typed(stack)
