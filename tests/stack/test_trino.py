"""Trino's resource groups: nobody outside the platform comes into the platform's own. And its health question."""

import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from tests.conftest import Answering

from lakeproof.errors import NotReady
from lakeproof.lake.query.trino_queries import ASKING
from lakeproof.stack import loopback
from lakeproof.stack.engines import trino
from lakeproof.stack.engines.trino import USER_QUEUED, USER_RUNNING, resource_groups
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def group_of(user: str) -> str:
    """By the first selector that takes the user, as Trino does."""
    for selector in cast(list[dict[str, str]], resource_groups()["selectors"]):
        if re.fullmatch(selector.get("user", ".*"), user):
            return selector["group"].replace("${USER}", user)
    raise AssertionError(f"no group for {user}")


def test_the_platforms_users_share_a_group_and_every_other_user_has_its_own() -> None:
    for user in ("lakeproof", "lakeproof-health", ASKING["X-Trino-User"]):
        assert group_of(user) == "platform"
    assert group_of("analyst") == "people.analyst"
    assert group_of("not-lakeproof") == "people.not-lakeproof"


def test_a_user_runs_few_queries_at_once_and_all_users_together_do_not_fill_the_platforms_group() -> None:
    roots: dict[str, Any] = {one["name"]: one for one in cast(list[dict[str, Any]], resource_groups()["rootGroups"])}
    (own,) = roots["people"]["subGroups"]
    assert (own["hardConcurrencyLimit"], own["maxQueued"]) == (USER_RUNNING, USER_QUEUED)
    assert roots["people"]["hardConcurrencyLimit"] > USER_RUNNING
    assert json.loads(json.dumps(resource_groups())) == resource_groups()


class SilentTrino:
    """Its query waits: the first question for it is answered, the second one is not."""

    def __init__(self) -> None:
        self.asked, self.address = 0, ""
        self.cancelled, self.over = threading.Event(), threading.Event()

    def answer(self, method: str, _path: str, _body: bytes) -> tuple[int, object]:
        if method == "DELETE":
            self.cancelled.set()
        elif method == "GET":
            self.asked += 1
            self.over.wait(60 if self.asked == 2 else 0)
        return 200, {"nextUri": f"http://{self.address}/v1/statement/1", "stats": {"state": "QUEUED"}}


def test_the_health_question_ends_in_time_and_cancels_its_query(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, get, waits = SilentTrino(), loopback.get, list[float]()

    def look(url: str, *, timeout: float, headers: Mapping[str, str]) -> httpx.Response:
        waits.append(timeout)
        return get(url, timeout=timeout, headers=headers)

    monkeypatch.setattr(loopback, "get", look)
    silent.address = answering(silent.answer)
    with pytest.raises(NotReady):
        trino.ready(Stack(Settings(mode="external", endpoints={"trino": {"http": silent.address}})), 0.5)
    assert silent.cancelled.wait(5)
    silent.over.set()
    assert 0.5 > waits[0] > waits[1]  # what is left of the whole


def test_a_worker_of_somebody_elses_is_ready_by_its_own_answer_while_the_coordinator_is_away(
    tmp_path: Path, answering: Answering
) -> None:
    worker = answering(lambda _method, _path, _body: (200, {"starting": False}))
    endpoints = {"trino": {"http": "127.0.0.1:9"}, "trino-2": {"http": worker}}
    trino.worker_ready(Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints)), 1.0, "trino-2")
