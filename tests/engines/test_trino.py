"""Trino starts, answers at a pinned hash, refuses writes, dies and comes back; it never shows a key."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.doubles.plugins import OURS

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.faults import records
from lakeproof.faults.fault import all_faults
from lakeproof.lake.query import trino
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.pin import create_catalog_sql
from lakeproof.lake.query.trino_queries import queries
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.trino import catalog_properties, ready
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.trino_backlog import checks, repairs, wrong_fixes

pytestmark = pytest.mark.engines


@pytest.fixture
def running(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    """Trino and what a catalog of it asks."""
    return up("trino", "nessie", "minio")


def answers(stack: Stack) -> bool:
    """True once it is ready. Raises: NotReady."""
    ready(stack, 3.0)
    return True


def test_it_answers_a_real_question(stack: Stack, running: SupervisorClient) -> None:
    ready(stack, 5.0)
    answer = trino.run(stack, "SELECT DECIMAL '1.20', TIMESTAMP '2026-11-24 10:00:00.000001'", Deadline(120))
    assert [list(row) for row in answer.rows] == [["1.20", "2026-11-24 10:00:00.000001"]]


def test_the_join_that_a_check_asks_for_is_answered(stack: Stack, running: SupervisorClient) -> None:
    verdict = checks.QueriesServed().baseline(CheckContext(stack, Deadline(60))).verdict
    assert verdict.outcome is Outcome.PASSED, verdict.summary


@pytest.mark.proof
def test_one_users_flood_keeps_nobody_else_waiting_and_only_that_users_queries_are_killed(
    stack: Stack, running: SupervisorClient
) -> None:
    fault, given = all_faults(OURS)["flooded_resource_group"], {"user": "analyst"}
    before = Baseline(Verdict("", Outcome.PASSED, ""), {"at": time.time()})

    def served() -> Outcome:
        return checks.QueriesServed().verify(CheckContext(stack, Deadline(60)), before).outcome

    assert served() is Outcome.PASSED
    record = records.inject(stack, fault, given, by="test")
    assert record.seen == "3 queries of analyst run, 9 wait"
    assert {one.group for one in queries(stack) if one.user == "analyst"} == {"people.analyst"}
    # The platform's own group: the health question, and readers of the lake.
    ready(stack, 5.0)
    assert trino.run(stack, "SELECT 1", Deadline(120)).rows
    assert served() is Outcome.FAILED
    assert repairs.KillQuery().run(stack) == "killed 12 queries of analyst, 9 of which waited"
    assert served() is Outcome.PASSED
    assert "reporter" in wrong_fixes.KillEveryQuery().run(stack)
    assert served() is Outcome.FAILED, "another user's query failed"
    records.remove(stack, fault, given)
    records.inject(stack, fault, given, by="test")
    records.remove(stack, fault, given)
    assert [one for one in queries(stack) if one.user in ("analyst", "reporter") and one.lives] == []


def test_a_failing_statement_is_one_line_in_trino_s_own_words(stack: Stack, running: SupervisorClient) -> None:
    with pytest.raises(StatementFailed, match="COLUMN_NOT_FOUND") as failed:
        trino.run(stack, "SELECT nope FROM (VALUES 1) AS t (x)", Deadline(120), catalog="system")
    assert "\n" not in failed.value.message


def test_its_catalog_refuses_to_write(stack: Stack, running: SupervisorClient) -> None:
    with pytest.raises(StatementFailed, match="Access Denied"):
        trino.run(stack, "CREATE TABLE lake.oltp.mine (id bigint)", Deadline(120))


def test_it_exports_the_length_of_its_queue(stack: Stack, running: SupervisorClient) -> None:
    text = httpx.get(f"http://{stack.address('trino', 'jmx')}/metrics", timeout=5.0, trust_env=False).text
    assert "trino_execution_queuedqueries 0.0" in text


def test_no_key_is_in_its_files_its_log_or_its_list_of_queries(stack: Stack, running: SupervisorClient) -> None:
    name = "lake_at_000000000000_00000000_0000"
    trino.run(stack, create_catalog_sql(name, catalog_properties(stack, "main")), Deadline(120), catalog="system")
    shown = trino.run(stack, "SELECT query FROM system.runtime.queries", Deadline(120), catalog="system")
    trino.run(stack, f"DROP CATALOG {name}", Deadline(120), catalog="system")
    files = [path for path in Path(stack.etc_dir("trino")).rglob("*") if path.is_file()]
    texts = [path.read_bytes().decode(errors="replace") for path in [*files, stack.log_path("trino")]]
    for key in (stack.secret("s3-access-key"), stack.secret("s3-secret-key")):
        assert not [text for text in [*texts, str(shown.rows)] if key in text]


def test_a_stopped_process_is_not_ready_and_a_killed_one_comes_back(stack: Stack, running: SupervisorClient) -> None:
    running.kill("trino", "STOP")
    with pytest.raises(NotReady):
        ready(stack, 2.0)
    running.kill("trino", "KILL")
    Deadline(120).wait_for("trino", lambda: answers(stack), every=0.5)


@pytest.mark.proof  # not yet green three times in a row
def test_a_second_server_works_once_it_is_healthy_comes_back_when_killed_and_is_gone_after_scaling_back(
    stack: Stack, running: SupervisorClient
) -> None:
    name = "lake_at_000000000000_00000000_0001"
    assert running.scale("trino", 2) == (["trino-2"], [])
    assert servers(stack) == {"trino", "trino-2"}
    trino.run(stack, create_catalog_sql(name, catalog_properties(stack, "main")), Deadline(120), catalog="system")
    try:
        trino.run(stack, f"SHOW TABLES FROM {name}.oltp", Deadline(120), catalog=name)
        counted = "SELECT count(*) FROM TABLE(sequence(1, 3000000))"
        assert trino.run(stack, counted, Deadline(120), catalog=name).rows[0][0] == 3_000_000
        worked = "SELECT DISTINCT node_id FROM system.runtime.tasks"
        nodes = {str(row[0]) for row in trino.run(stack, worked, Deadline(120), catalog="system").rows}
        assert nodes == {"trino", "trino-2"}
        running.kill("trino-2")
        running.up(["trino-2"])
        assert servers(stack) == {"trino", "trino-2"}
    finally:
        trino.run(stack, f"DROP CATALOG {name}", Deadline(120), catalog="system")
        assert running.scale("trino", 1) == ([], ["trino-2"])
    assert "trino-2" not in [row.name for row in running.ps()]


def servers(stack: Stack) -> set[str]:
    """Those that the coordinator gives work to."""
    active = "SELECT node_id FROM system.runtime.nodes WHERE state = 'active'"
    return {str(row[0]) for row in trino.run(stack, active, Deadline(120), catalog="system").rows}
