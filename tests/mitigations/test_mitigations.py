"""Repair steps: what they say a person would type, and the search for transactions that hang."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doubles.plugins import OURS

from lakeproof.arguments import Arguments, parse_arguments
from lakeproof.errors import CouldNotLook
from lakeproof.mitigations.mitigation import Mitigation, all_mitigations
from lakeproof.processes import handed_variable
from lakeproof.processes.environment import RESERVATION_TTL
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connector_failure.repairs import free_id
from lakeproof_shop.scenarios.replication_lag import repairs
from lakeproof_shop.scenarios.replication_lag.repairs import bound_seconds
from lakeproof_shop.scenarios.ttl_oversell import repairs as ttl_oversell_repairs

NEEDED: dict[str, dict[str, object]] = {
    "continue_process": {"component": "connect"},
    "start_component": {"component": "connect"},
    "restart_component": {"component": "connect"},
    "repair_node": {"component": "cassandra-node3"},
    "replace_node": {"node": "cassandra-node3"},
    "scale_ring": {"nodes": 3},
}


@pytest.mark.parametrize("step", all_mitigations(OURS).values(), ids=lambda step: step.id)
def test_every_step_says_what_to_type_and_no_secret(step: type[Mitigation], tmp_path: Path, stack: Stack) -> None:
    typed = parse_arguments(step, NEEDED.get(step.id, {}), step.id).typed(stack)
    assert typed
    secrets = json.loads((tmp_path / "secrets.json").read_text()) if (tmp_path / "secrets.json").exists() else {}
    assert not any(secret in typed for secret in secrets.values())


def test_a_job_that_is_there_is_not_redeployed_by_hand(tmp_path: Path) -> None:
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints={"flink-jobmanager": {"http": "far:8081"}}))
    step = all_mitigations(OURS)["resubmit_job"]

    def typed(database: str) -> str:
        return parse_arguments(step, {"database": database}, step.id).typed(stack)

    looked = "curl -s http://far:8081/jobs/overview; only where no {} is alive there: lakeproof lake redeploy"
    assert typed("oltp") == looked.format("lake-oltp") + " --database oltp"
    assert typed("shop") == looked.format("lake-shop") + " --database shop"


def test_the_login_of_either_database_is_mended_in_that_one(stack: Stack) -> None:
    typed = {
        (name, database): parse_arguments(all_mitigations(OURS)[name], {"database": database}, name).typed(stack)
        for name in ("restore_password", "restore_grant")
        for database in ("oltp", "shop")
    }
    assert typed["restore_password", "oltp"].startswith("ALTER USER 'cdc'@'%'")
    assert typed["restore_password", "shop"].startswith("ALTER ROLE cdc LOGIN PASSWORD")
    assert "'cdc'@'%'" in typed["restore_grant", "oltp"]
    assert typed["restore_grant", "shop"] == (
        "ALTER ROLE cdc LOGIN REPLICATION; GRANT CONNECT ON DATABASE shop TO cdc; GRANT pg_read_all_data TO cdc"
    )


def test_a_restart_by_hand_hands_over_nothing_of_the_shell_as_the_repair_does(stack: Stack) -> None:
    """`lakeproof start` hands it the shell's SERVICE_…_URL; where none is set, the addresses that it had are lost."""
    step = all_mitigations(OURS)["restart_component"]
    given = parse_arguments(step, {"component": "support-service"}, step.id)
    typed = given.typed(stack)
    assert typed == "lakeproof stop support-service; lakeproof up support-service"


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        (
            "redeploy_connector",
            "curl -X PUT --json @orders.json http://127.0.0.1:8083/connectors/orders/config;"
            " curl -X PUT http://127.0.0.1:8083/connectors/orders/resume",
        ),
        (
            "take_free_server_id",
            'SHOW SLAVE HOSTS; curl -X PUT --json \'{… "database.server.id": "an id that is not there"}\''
            " http://127.0.0.1:8083/connectors/orders/config",
        ),
    ],
)
def test_what_connect_is_sent_by_hand_is_json_and_a_paused_connector_is_resumed(
    name: str, typed: str, stack: Stack
) -> None:
    """Connect answers 415 to a body of curl's own type."""
    step = all_mitigations(OURS)[name]
    assert step().typed(stack) == typed


@pytest.mark.parametrize("step", all_mitigations(OURS).values(), ids=lambda step: step.id)
def test_no_body_of_json_is_typed_without_its_type(step: type[Mitigation], stack: Stack) -> None:
    typed = parse_arguments(step, NEEDED.get(step.id, {}), step.id).typed(stack)
    for call in typed.split("curl ")[1:]:
        assert ("-d '{" not in call and "-d @" not in call) or "content-type: application/json" in call.lower()


@pytest.mark.parametrize("name", ["continue_process", "lift_cpu_limit"])
def test_by_hand_all_processes_of_a_component_go_on_as_by_the_repair(name: str, stack: Stack) -> None:
    step = all_mitigations(OURS)[name]
    typed = step.model_validate({"component": "trino"}).typed(stack)
    assert typed.endswith("lakeproof kill trino --signal CONT")


class Handed:
    """A supervisor that tells what a component was handed at its last start."""

    def __init__(self, **variables: str) -> None:
        self.variables = variables

    def handed(self, component: str) -> dict[str, str]:
        return dict(self.variables)


ORDER, PAYMENT = "SERVICE_ORDER_SERVICE_URL", "SERVICE_PAYMENT_SERVICE_URL"


@pytest.mark.parametrize(
    ("name", "given", "typed"),
    [
        (
            "switch_source",
            {"source": "order", "to": "off"},
            f"lakeproof stop support-service; SERVICE_REDIS_URL=AS-BEFORE {PAYMENT}='http://far:1/a b' {ORDER}="
            " lakeproof start support-service",
        ),
        (
            "switch_source",
            {"source": "payment"},
            "lakeproof stop support-service; SERVICE_REDIS_URL=AS-BEFORE lakeproof start support-service",
        ),
        (
            "restore_setting",
            {},
            f"unset {RESERVATION_TTL}; lakeproof stop inventory-service; SERVICE_REDIS_URL=AS-BEFORE"
            f" {PAYMENT}='http://far:1/a b' lakeproof start inventory-service",
        ),
    ],
)
def test_a_start_by_hand_gives_the_component_the_other_variables_that_it_had(
    name: str, given: dict[str, object], typed: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lakeproof start` takes away what it had and is not given again; the repair leaves that as it is."""
    variables = {"SERVICE_REDIS_URL": "redis://:s3cret@far:6379/0", PAYMENT: "http://far:1/a b"}
    if name == "restore_setting":
        variables[RESERVATION_TTL] = "60"
    monkeypatch.setattr(handed_variable, "SupervisorClient", lambda stack: Handed(**variables))
    step = all_mitigations(OURS)[name]
    assert step.model_validate(given).typed(stack) == typed


def test_arguments_are_frozen_and_closed() -> None:
    assert Arguments.model_config["extra"] == "forbid"


COLUMNS = repairs.COLUMNS


def table_of(*rows: tuple[str, ...]) -> str:
    """As Kafka's tool prints it."""
    return "\n".join("\t".join(f"{cell:<12}" for cell in row) for row in (COLUMNS, *rows))


def told(topic: str, offset: str, partition: str = "0") -> tuple[str, ...]:
    return (topic, partition, "1", "1", "0", offset, "1795601709958", "4")


class Tool:
    """Kafka's tool: one table for each broker; keeps what it was asked."""

    def __init__(self, tables: dict[int, str]) -> None:
        self.tables = tables
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, stack: Stack, *arguments: str) -> str:
        self.asked.append(arguments)
        return self.tables[int(arguments[2])] if arguments[0] == "find-hanging" else ""


@pytest.fixture
def aborting(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> Callable[[dict[int, str]], tuple[str, Tool]]:
    """`aborting(tables)`: what the step says where the brokers tell these tables, and the tool that was asked."""

    def run(tables: dict[int, str]) -> tuple[str, Tool]:
        tool = Tool(tables)
        monkeypatch.setattr(repairs, "_tool", tool)
        monkeypatch.setattr(repairs, "broker_ids", lambda stack, timeout: list(tables))
        return repairs.AbortHangingTransactions().run(stack), tool

    return run


def test_hanging_transactions_of_capture_are_aborted_on_every_broker_and_those_of_its_offsets_last(
    aborting: Callable[[dict[int, str]], tuple[str, Tool]],
) -> None:
    rows, offsets = told("cdc.oltp", "17"), told("_connect_offsets_orders", "2")
    said, tool = aborting({4: table_of(offsets, told("someone-elses", "7"), rows), 7: table_of(rows)})
    assert said == "aborted: cdc.oltp, _connect_offsets_orders"
    assert [asked[2] for asked in tool.asked if asked[0] == "find-hanging"] == ["4", "7"]
    aborted = [(asked[2], asked[6]) for asked in tool.asked if asked[0] == "abort"]
    assert aborted == [("cdc.oltp", "17"), ("_connect_offsets_orders", "2")]


def test_where_the_tool_tells_an_empty_table_no_transaction_hangs(
    aborting: Callable[[dict[int, str]], tuple[str, Tool]],
) -> None:
    assert aborting({1: "a line of its log\n" + table_of()})[0] == "no transaction hangs"


@pytest.mark.parametrize(
    "unknown",
    [
        "",
        "Found no transaction",
        table_of().replace("StartOffset", "FirstOffset"),
        table_of(told("cdc.oltp", "17")[:7]),
        table_of(told("cdc.oltp", "None")),
    ],
)
def test_what_the_tool_says_in_words_that_nobody_knows_does_not_mean_that_none_hangs(
    unknown: str, aborting: Callable[[dict[int, str]], tuple[str, Tool]]
) -> None:
    with pytest.raises(CouldNotLook, match="kafka, find-hanging"):
        aborting({1: unknown})


def test_a_person_types_the_same_search_for_hanging_transactions(stack: Stack) -> None:
    typed = repairs.AbortHangingTransactions().typed(stack)
    assert "--max-transaction-timeout 1" in typed and "for each broker" in typed


def test_the_ttl_of_reservations_is_restored_by_one_statement_that_is_told_first(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, before = ttl_oversell_repairs.RestoreTtl(), iter((5, 900))
    monkeypatch.setattr(ttl_oversell_repairs, "change_ttl", lambda *_: next(before))
    assert step.typed(stack) == "ALTER TABLE inventory.reservations WITH default_time_to_live = 900"
    assert step.run(stack).endswith("was 5 s, is 900 s")
    assert step.run(stack).endswith("is 900 s already")


def test_a_free_server_id_is_the_next_that_nobody_has() -> None:
    assert free_id(5502, {5401, 5502}) == 5503
    assert free_id(5502, {5503, 5504}) == 5505


def test_the_wait_for_a_large_transaction_is_bounded_by_what_is_left() -> None:
    assert bound_seconds(0) == 60
    assert bound_seconds(9_000_000) == 150
