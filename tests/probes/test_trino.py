"""Trino's queries as its REST API tells them: who waits, for how long, and whose are killed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answering

from lakeproof.arguments import parse_arguments
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.lake.query import trino_queries
from lakeproof.lake.query.trino import OWN_SOURCE, PERSONS_SOURCE
from lakeproof.lake.query.trino_queries import Query, busiest, queries
from lakeproof.probes import trino
from lakeproof.probes.looking import look_once
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.trino_backlog import checks, faults, repairs
from lakeproof_shop.scenarios.trino_backlog.checks import QueriesServed, judge
from lakeproof_shop.scenarios.trino_backlog.faults import SOURCE, FloodedResourceGroup

NOW = datetime.now(UTC)


def query(
    name: str,
    user: str = "analyst",
    state: str = "RUNNING",
    *,
    error: str = "",
    source: str = "",
    group: str = "",
    group_full: bool = False,
    seconds: float = 30,
) -> Query:
    made_at = NOW - timedelta(seconds=seconds)
    waits = state == "QUEUED"
    return Query(name, user, source, group or f"people.{user}", state, made_at, error, waits, group_full)


def flooding(name: str, seconds: float = 30) -> Query:
    return query(name, state="QUEUED", group_full=True, seconds=seconds)


FLOOD = [query("r1"), query("r2"), flooding("q1"), flooding("q2")]
OTHERS = [query("o1", "reporter"), query("o2", "lakeproof", "FINISHED"), query("o3", "reporter", "QUEUED")]
# Seven users run what the group around theirs may run; the eighth waits for all of them.
CROWD = [query(f"c{at}", f"user{at % 7}") for at in range(20)]
VICTIM = [query("v1", "eighth", "QUEUED"), query("v2", "eighth", "QUEUED")]


def known(found: list[Query], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (trino, repairs, checks, faults):
        monkeypatch.setattr(module, "queries", lambda stack, timeout=3.0: found)


def test_a_query_is_read_as_trino_tells_it() -> None:
    told: dict[str, Any] = {
        "queryId": "20261126_1",
        "session": {"user": "analyst", "source": "bi"},
        "resourceGroupId": ["people", "analyst"],
        "state": "FAILED",
        "query": "SELECT *\n  FROM a",
        "queryStats": {"createTime": "2026-11-26T12:00:00.000Z", "totalMemoryReservation": "12MB"},
        "errorCode": {"name": "EXCEEDED_TIME_LIMIT"},
    }
    found = trino_queries._query(told, {})
    assert found == Query(
        "20261126_1",
        "analyst",
        "bi",
        "people.analyst",
        "FAILED",
        datetime(2026, 11, 26, 12, tzinfo=UTC),
        "EXCEEDED_TIME_LIMIT",
        text="SELECT * FROM a",
        memory="12MB",
    )
    assert not found.waits and not found.lives


def group(queued: int, can_run: bool, *name: str) -> dict[str, Any]:
    return {"id": list(name), "numQueuedQueries": queued, "state": "CAN_RUN" if can_run else "CAN_QUEUE"}


def told(name: str, state: str, *group: str) -> dict[str, Any]:
    made = {"createTime": "2026-11-26T12:00:00.000Z"}
    return {
        "queryId": name,
        "session": {"user": "analyst"},
        "resourceGroupId": list(group) or None,
        "state": state,
        "queryStats": made,
    }


def test_a_look_asks_trino_for_its_queries_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several probes need the list. A Trino that a flood kept busy answered two of their questions too late."""
    asked = []

    def counted(stack: Stack, timeout: float) -> list[Query]:
        asked.append(timeout)
        return FLOOD

    monkeypatch.setattr(trino, "queries", counted)
    readings = look_once(stack, trino.PROBES)
    assert [readings[probe.id].value for probe in trino.PROBES][:2] == [2, "analyst in people.analyst: 2 run, 2 wait"]
    assert len(asked) == 1
    look_once(stack, trino.PROBES)
    assert len(asked) == 2, "the next look asks anew"


def test_only_what_found_no_place_in_its_group_waits(stack: Stack, answering: Answering) -> None:
    """A query that has its place is QUEUED too until it begins, which takes seconds on busy processors."""
    listed = [
        told("no place", "QUEUED", "people", "analyst"),
        told("runs", "RUNNING", "people", "analyst"),
        told("the third of three, on its way in", "QUEUED", "people", "reporter"),
        told("waits for workers, in its place", "WAITING_FOR_RESOURCES", "people", "analyst"),
        told("no place in a group of the outermost", "QUEUED", "busy"),
        told("left meanwhile", "QUEUED", "people", "gone"),
        told("left with its outer group", "QUEUED", "gone", "too"),
        told("in no group yet", "QUEUED"),
    ]
    waiting = {"people": {"analyst": 1, "reporter": 0}, "busy": {}}

    def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
        if path == "/v1/query":
            return 200, listed
        name = path.removeprefix("/v1/resourceGroupState/")
        if name not in waiting:
            return 404, {}
        inner = [group(count, False, name, each) for each, count in waiting[name].items()]
        return 200, group(1, True, name) | {"subGroups": inner}

    there = Stack(Settings(state_dir=stack.settings.state_dir, endpoints={"trino": {"http": answering(answer)}}))
    found = queries(there)
    assert [one.id for one in found if one.waits] == ["no place", "no place in a group of the outermost"]
    assert [one.id for one in found if one.group_full] == ["no place"]
    assert trino.by_user(there, 3.0) == (
        "analyst in no group: 0 run, 0 wait, 1 begin; analyst in busy: 0 run, 1 wait; "
        "analyst in gone.too: 0 run, 0 wait, 1 begin; analyst in people.analyst: 2 run, 1 wait; "
        "analyst in people.gone: 0 run, 0 wait, 1 begin; analyst in people.reporter: 0 run, 0 wait, 1 begin"
    )


def test_where_a_trino_does_not_tell_of_its_groups_what_is_queued_waits(stack: Stack, answering: Answering) -> None:
    listed = [told("a", "QUEUED", "people", "analyst"), told("b", "RUNNING", "people", "analyst")]
    address = answering(lambda _method, path, _body: (200, listed) if path == "/v1/query" else (403, {}))
    there = Stack(Settings(state_dir=stack.settings.state_dir, endpoints={"trino": {"http": address}}))
    assert [one.id for one in queries(there) if one.waits] == ["a"]
    assert busiest(queries(there)) is None, "whose group is full is not known"
    for look in (trino.oldest, trino.longest_wait):
        with pytest.raises(CouldNotLook, match="does not tell whose resource group is full"):
            look(there, 3.0)


def test_whose_queries_wait_for_those_of_others_is_not_named(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group around the users' own was full, and the victim was named, whose queries would have been killed."""
    known([*CROWD, *VICTIM], monkeypatch)
    assert trino.queued(stack, 1.0) == 2
    assert (trino.oldest(stack, 1.0), trino.longest_wait(stack, 1.0)) == (None, None)
    monkeypatch.setattr(repairs, "kill", lambda *_: pytest.fail("killed"))
    with pytest.raises(TerminalError, match="2 queries wait, and no user alone fills"):
        repairs.KillQuery().run(stack)


def test_the_sql_of_the_oldest_query_that_fills_a_group_is_told(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy = replace(query("r1", seconds=600), text="SELECT  * FROM a, b WHERE name = 'Le' AND n > 7", memory="112MB")
    known([replace(query("r2"), text="SELECT 2"), heavy, flooding("q1"), *OTHERS], monkeypatch)
    assert trino.oldest_text(stack, 1.0) == "analyst, 112MB: SELECT * FROM a, b WHERE name = ? AND n > ?"
    known([replace(heavy, text="x" * 300, memory=""), flooding("q1")], monkeypatch)
    assert trino.oldest_text(stack, 1.0) == f"analyst, memory not told: {'x' * 200}… (300)"
    known([heavy], monkeypatch)
    assert trino.oldest_text(stack, 1.0) == "nobody"


def test_of_a_full_group_that_several_users_share_nobody_is_named() -> None:
    shared = [query("s1", "a", group="all"), query("s2", "b", "QUEUED", group="all", group_full=True)]
    assert busiest(shared) is None
    assert busiest(shared[1:]) == "b"


def test_a_query_that_has_just_begun_to_wait_is_told_as_such(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest query of that user has run for long; how long the others wait is another number."""
    known([query("r1", seconds=600), flooding("q1", seconds=1), *OTHERS], monkeypatch)
    oldest, wait = trino.oldest(stack, 1.0), trino.longest_wait(stack, 1.0)
    assert isinstance(oldest, float) and oldest >= 600
    assert isinstance(wait, float) and 1 <= wait < 600


def test_who_waits_the_most_is_told_with_group_and_age(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    known([*FLOOD, *OTHERS], monkeypatch)
    assert trino.queued(stack, 1.0) == 3
    assert trino.by_user(stack, 1.0) == (
        "analyst in people.analyst: 2 run, 2 wait; reporter in people.reporter: 1 run, 1 wait"
    )
    assert busiest([*FLOOD, *OTHERS]) == "analyst"
    age = trino.oldest(stack, 1.0)
    assert isinstance(age, float) and age >= 30
    known([query("o1", "reporter", "FINISHED")], monkeypatch)
    assert (trino.queued(stack, 1.0), trino.by_user(stack, 1.0), trino.oldest(stack, 1.0)) == (0, "nobody", None)


@pytest.mark.parametrize(
    ("user", "killed"), [("", ["r1", "r2", "q1", "q2"]), ("reporter", ["o1", "o3"]), ("nobody", [])]
)
def test_the_queries_of_one_user_alone_are_killed(
    user: str, killed: list[str], stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    known([*FLOOD, *OTHERS], monkeypatch)
    ended: list[str] = []
    monkeypatch.setattr(repairs, "kill", lambda stack, found: ended.extend(one.id for one in found))
    repairs.KillQuery(user=user).run(stack)
    assert ended == killed


def test_where_nobody_waits_nobody_is_killed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    known([query("r1")], monkeypatch)
    monkeypatch.setattr(repairs, "kill", lambda *_: pytest.fail("killed"))
    assert "nobody's are killed" in repairs.KillQuery().run(stack)


def test_what_is_left_of_a_repair_that_was_cut_off_is_killed_by_the_next_one(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    known([query("r1"), query("r2"), flooding("q9"), *OTHERS], monkeypatch)
    ended: list[str] = []
    monkeypatch.setattr(repairs, "kill", lambda stack, found: ended.extend(one.id for one in found))
    repairs.KillQuery().run(stack)
    assert ended == ["r1", "r2", "q9"]


def test_the_fault_ends_its_own_queries_and_no_other_of_that_user(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    known([*FLOOD, query("f1", source=SOURCE), query("f2", state="QUEUED", source=SOURCE)], monkeypatch)
    ended: list[str] = []
    monkeypatch.setattr(faults, "kill", lambda stack, found: ended.extend(one.id for one in found))
    assert faults.FloodedResourceGroup().sign(stack).seen == "1 queries of analyst run, 1 wait"
    faults.FloodedResourceGroup().remove(stack)
    assert ended == ["f1", "f2"]


def test_so_few_queries_that_none_waits_have_landed_once_all_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    known([query("f1", source=SOURCE), query("f2", source=SOURCE)], monkeypatch)
    landed = [faults.FloodedResourceGroup(queries=n).sign(stack).holds for n in (2, 3, 4)]
    assert landed == [True, False, False]


def test_the_platforms_own_users_are_not_flooded() -> None:
    with pytest.raises(InvalidInput):
        parse_arguments(FloodedResourceGroup, {"user": "lakeproof-health"}, "flooded_resource_group")


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ([query("a", "lakeproof", "FINISHED")], Outcome.PASSED),
        ([query("a", state="FAILED", error="ADMINISTRATIVELY_KILLED")], Outcome.PASSED),
        ([query("a", "reporter", "FAILED", error="ADMINISTRATIVELY_KILLED")], Outcome.FAILED),
        ([query("a", "reporter", "FAILED", error="USER_CANCELED")], Outcome.FAILED),
        ([query("a", "lakeproof-health", "FAILED", error="ADMINISTRATIVELY_KILLED")], Outcome.FAILED),
        # It was asked on busy processors, and called off by who asked it.
        ([query("a", "lakeproof-health", "FAILED", error="USER_CANCELED")], Outcome.PASSED),
        # the minute's audit at the end of its time
        ([query("a", "lakeproof", "FAILED", error="USER_CANCELED", source=OWN_SOURCE)], Outcome.PASSED),
        ([query("a", "lakeproof", "FAILED", error="ADMINISTRATIVELY_KILLED", source=OWN_SOURCE)], Outcome.FAILED),
        # a person's `lakeproof query`
        ([query("a", "lakeproof", "FAILED", error="USER_CANCELED", source=PERSONS_SOURCE)], Outcome.FAILED),
        (FLOOD, Outcome.FAILED),
    ],
)
def test_a_query_that_waits_and_a_failed_one_of_another_user_do_not_pass(
    found: list[Query], outcome: Outcome
) -> None:
    assert judge(found, QueriesServed(), NOW.timestamp() - 60, 0.4).outcome is outcome


@pytest.mark.parametrize(
    ("source", "loses_worker", "outcome"),
    [
        (OWN_SOURCE, True, Outcome.PASSED),
        (OWN_SOURCE, False, Outcome.FAILED),
        (PERSONS_SOURCE, True, Outcome.FAILED),
    ],
)
def test_an_audit_that_was_on_the_lost_worker_is_the_faults_own_doing(
    source: str, loses_worker: bool, outcome: Outcome
) -> None:
    found = [query("a", "lakeproof", "FAILED", error="PAGE_TRANSPORT_ERROR", source=source)]
    arguments = QueriesServed(loses_worker=loses_worker)
    assert judge(found, arguments, NOW.timestamp() - 60, 0.4).outcome is outcome


def test_what_failed_before_the_fault_is_not_held_against_the_repair() -> None:
    failed = [query("a", "reporter", "FAILED", error="SYNTAX_ERROR")]
    assert judge(failed, QueriesServed(), NOW.timestamp(), 0.4).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ({"data": [[1000]]}, ""),
        ({"data": [[1]]}, "gave [[1]] instead of 1000"),
        ({}, "gave [] instead of 1000"),
        (
            {"error": {"errorName": "NOT_SUPPORTED", "message": "a join\nof it"}},
            "failed: NOT_SUPPORTED: a join of it",
        ),
    ],
)
def test_the_other_users_query_is_one_that_the_workers_join(
    page: dict[str, Any], told: str, tmp_path: Path, answering: Answering
) -> None:
    """`SELECT 1` needs no rows to be sent between workers."""
    asked: list[str] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if method == "GET":
            return 200, page
        asked.append(body.decode())
        return 200, {"nextUri": f"http://{address}/v1/statement/1"}

    address = answering(answer)
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"trino": {"http": address}}))
    answered = checks._ask(stack, "reporter")
    assert answered == told if told else isinstance(answered, float)
    assert "JOIN" in asked[0]


def test_without_trino_it_is_unknown(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> float:
        raise CouldNotLook("no answer", where="trino")

    monkeypatch.setattr(checks, "_ask", silent)
    before = Baseline(Verdict("", Outcome.PASSED, ""), {"at": 1.0})
    with pytest.raises(CouldNotLook):
        checks.QueriesServed().verify(CheckContext(stack, Deadline(5)), before)
