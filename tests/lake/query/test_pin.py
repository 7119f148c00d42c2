"""Pins are told apart by age, none is left for good, and their SQL holds no key."""

from datetime import UTC, datetime

import pytest
from tests.published_commit import published_commit

from lakeproof.lake.nessie import Reference
from lakeproof.lake.publish import history
from lakeproof.lake.query import pin
from lakeproof.lake.query.answer import EngineUnreachable, NotBegun, StatementFailed
from lakeproof.lake.query.flink import pin_statements
from lakeproof.lake.query.pin import FORGOTTEN_SECONDS, create_catalog_sql, is_forgotten, pinned_catalog
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


class Lake:
    """Nessie's tags and Trino's catalogs. silent: the kind of statement that Trino gives no answer to; it makes a
    catalog all the same, and drops none.
    """

    def __init__(self) -> None:
        self.tags: dict[str, Reference] = {}
        self.catalogs: set[str] = set()
        self.silent = ""

    def create_reference(self, kind: str, name: str, source: Reference) -> Reference:
        self.tags[name] = Reference("TAG", name, source.hash)
        return self.tags[name]

    def references(self) -> list[Reference]:
        return list(self.tags.values())

    def delete(self, reference: Reference) -> None:
        del self.tags[reference.name]

    def close(self) -> None: ...

    def run(self, sql: str) -> None:
        if sql.startswith("CREATE"):
            self.catalogs.add(sql.split()[2])
        elif self.silent != "DROP":
            self.catalogs.discard(sql.split()[-1])
        if sql.startswith(self.silent or "no statement"):
            raise EngineUnreachable("no answer (ReadTimeout)")


COMMIT = published_commit("0" * 64, datetime.now(UTC))


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Lake:
    made = Lake()
    monkeypatch.setattr(history, "client_of", lambda *_: made)
    return made


def test_a_catalog_that_trino_did_not_drop_goes_with_a_later_sweep(
    lake: Lake, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.silent = "DROP"
    with pinned_catalog(stack, COMMIT, lake.run) as name:
        pass
    assert lake.catalogs == {name}
    lake.silent = ""
    monkeypatch.setattr(pin, "FORGOTTEN_SECONDS", -1)
    with pinned_catalog(stack, COMMIT, lake.run):
        pass
    assert (lake.catalogs, lake.tags) == (set(), {})


def test_a_catalog_that_trino_refuses_to_drop_keeps_no_other_one(
    lake: Lake, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.silent = "DROP"
    names = []
    for _ in range(2):
        with pinned_catalog(stack, COMMIT, lake.run) as name:
            names.append(name)
    lake.silent = ""

    def refusing(sql: str) -> None:
        if sql == f"DROP CATALOG IF EXISTS {names[0]}":
            raise StatementFailed("it is in use", where="trino")
        lake.run(sql)

    monkeypatch.setattr(pin, "FORGOTTEN_SECONDS", -1)
    with pinned_catalog(stack, COMMIT, refusing):
        pass
    assert (lake.catalogs, set(lake.tags)) == ({names[0]}, {names[0]})


def test_a_catalog_that_was_made_without_an_answer_is_dropped(lake: Lake, stack: Stack) -> None:
    lake.silent = "CREATE"
    with pytest.raises(EngineUnreachable), pinned_catalog(stack, COMMIT, lake.run):
        pass
    assert (lake.catalogs, lake.tags) == (set(), {})


def test_a_trino_that_is_away_leaves_no_tag_behind(lake: Lake, stack: Stack) -> None:
    """The full audit tries each minute, and each tag keeps the copies of metadata that it leads to."""

    def away(sql: str) -> None:
        raise NotBegun("no answer (ConnectError)")

    with pytest.raises(NotBegun), pinned_catalog(stack, COMMIT, away):
        pass
    assert lake.tags == {}
