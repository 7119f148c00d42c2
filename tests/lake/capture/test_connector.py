"""The connectors' files: what they say once they are filled in, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture.connector import Connector, find_connector, parse, render
from lakeproof.stack.settings import CaptureSettings, Settings
from lakeproof.stack.stack import Stack

type MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(tmp_path: Path) -> MakeStack:
    def make(**settings: object) -> Stack:
        return Stack(Settings(name="t", state_dir=tmp_path, **settings))

    return make


def example(**changes: object) -> str:
    whole = {
        "name": "orders",
        "database": "oltp",
        "heartbeat": "beat",
        "topic": "cdc.oltp",
        "tables": ["orders", "beat"],
        "config": {"topic.prefix": "@database@"},
    }
    return json.dumps(whole | changes)


def test_every_word_of_the_orders_connector_is_filled_in(make_stack: MakeStack) -> None:
    config = render(make_stack(port_shift=100), find_connector("orders"))
    assert not [value for value in config.values() if "@" in value]
    assert config["database.port"] == "3406"
    assert config["schema.history.internal.kafka.bootstrap.servers"] == "127.0.0.1:9192"


def test_the_table_list_is_the_only_place_that_names_tables(make_stack: MakeStack) -> None:
    connector = find_connector("orders")
    config = render(make_stack(), connector)
    assert config["table.include.list"].split(",") == [f"oltp.{table}" for table in connector.tables]
    naming = [key for key, value in config.items() if "order_items" in value]
    assert naming == ["table.include.list"]


def test_the_password_is_a_reference_and_no_secret_is_made_for_it(make_stack: MakeStack, tmp_path: Path) -> None:
    config = render(make_stack(), find_connector("orders"))
    assert config["database.password"] == f"${{file:{tmp_path}/etc/connect/secrets.properties:mysql-cdc}}"
    assert not (tmp_path / "secrets.json").exists()


def test_an_external_connect_finds_its_passwords_where_the_settings_say(make_stack: MakeStack) -> None:
    stack = make_stack(
        mode="external",
        endpoints={
            "connect": {"http": "c:8083", "secrets_file": "/etc/its.properties"},
            "mysql": {"tcp": "m:3306"},
            "kafka": {"tcp": "k:9092"},
        },
    )
    assert render(stack, find_connector("orders"))["database.password"] == "${file:/etc/its.properties:mysql-cdc}"


def test_where_the_server_is_mysql_the_connector_is_debeziums_for_mysql(make_stack: MakeStack) -> None:
    usual = render(make_stack(), find_connector("orders"))
    changed = render(make_stack(endpoints={"mysql": {"server": "mysql"}}), find_connector("orders"))
    assert changed["connector.class"] == "io.debezium.connector.mysql.MySqlConnector"
    assert {key for key in usual if usual[key] != changed[key]} == {"connector.class", "database.ssl.mode"}


def test_exactly_once_off_leaves_the_connector_without_it(make_stack: MakeStack) -> None:
    on = render(make_stack(), find_connector("orders"))
    off = render(make_stack(capture=CaptureSettings(exactly_once=False)), find_connector("orders"))
    assert on["exactly.once.support"] == "required"
    assert "exactly.once.support" not in off and "transaction.boundary" not in off


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "JSON"),
        (example(tables=["orders"]), "heartbeat"),
        (example(tables=["orders", "beat", "orders"]), "twice"),
        (example(tables=["orders; drop", "beat"]), "plain table name"),
        (example(extra=1), "extra"),
        (example(name="Orders!"), "name"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_reason(text: str, word: str) -> None:
    with pytest.raises(InvalidInput, match=word) as caught:
        parse(text, "some/orders.json")
    assert "some/orders.json" in caught.value.message


def test_a_word_that_does_not_exist_is_refused(make_stack: MakeStack) -> None:
    connector = Connector.model_validate_json(example(config={"a": "@nothing@"}))
    with pytest.raises(InvalidInput, match="@nothing@"):
        render(make_stack(), connector)


def test_an_unknown_connector_is_refused_with_the_names() -> None:
    with pytest.raises(InvalidInput, match="orders"):
        find_connector("order")
