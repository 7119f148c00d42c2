"""Pins are told apart by age, and their SQL holds no key."""

from datetime import UTC, datetime

from tests.published_commit import published_commit

from lakeproof.lake.query.flink import pin_statements
from lakeproof.lake.query.pin import FORGOTTEN_SECONDS, create_catalog_sql, is_forgotten
from lakeproof.stack.engines.trino import catalog_properties
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

MADE = 0x6A000000
NAME = f"lake_at_0123456789ab_{MADE:08x}_beef"


def test_a_pin_is_forgotten_only_when_older_than_any_query() -> None:
    assert not is_forgotten(NAME, MADE + FORGOTTEN_SECONDS)
    assert is_forgotten(NAME, MADE + FORGOTTEN_SECONDS + 1)


def test_a_tag_of_somebody_else_is_never_forgotten() -> None:
    assert not is_forgotten("release-2026", MADE * 2.0)
    assert not is_forgotten(f"{NAME}_mine", MADE * 2.0)


def test_the_catalog_s_sql_holds_references_instead_of_keys() -> None:
    endpoints = {"nessie": {"http": "n:19120"}, "minio": {"http": "m:9000"}}
    secrets = {"s3-access-key": "hidden1", "s3-secret-key": "hidden2"}
    stack = Stack(Settings(mode="external", endpoints=endpoints, secrets=secrets))
    sql = create_catalog_sql(NAME, catalog_properties(stack, NAME))
    assert "hidden" not in sql
    assert f"\"iceberg.nessie-catalog.ref\" = '{NAME}'" in sql
    assert "\"iceberg.security\" = 'read_only'" in sql


def test_flink_reads_every_published_table_at_its_snapshot() -> None:
    now = datetime.now(UTC)
    commit = published_commit("0" * 64, now, 7, None, None, {"orders": 12, "order_items": 13}, now)
    views = [statement for statement in pin_statements(commit) if "VIEW" in statement]
    assert [("12" in views[0], "`orders`" in views[0]), ("13" in views[1], "`order_items`" in views[1])] == [
        (True, True),
        (True, True),
    ]
