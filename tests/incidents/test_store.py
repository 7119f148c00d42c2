import os
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.command import upgrade
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.incidents.checklist import ITEMS
from lakeproof.incidents.database import MIGRATIONS, open_database
from lakeproof.incidents.memory import NoSuchIncident
from lakeproof.incidents.models import Base
from lakeproof.incidents.shapes import Act, AnswerIn, EvidenceIn, IncidentIn, IncidentOut, Lesson, Note
from lakeproof.incidents.status import FOLLOWS, Status
from lakeproof.incidents.store import Store


def close(store: Store, name: str) -> IncidentOut:
    """Write the lesson, answer the checklist, review."""
    store.learn(name, Lesson(text="an alert on the cause itself", who="an"))
    for item in ITEMS:
        store.answer(name, AnswerIn(item=item.id, who="an"))
    return store.move(name, Status.REVIEWED, Act(who="an"))


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'desk.sqlite'}"
    first = open_database(url)
    Store(first).open(IncidentIn(title="orders are slow", who="an"))
    first.dispose()
    second = open_database(url)
    assert Store(second).get("INC-000001").title == "orders are slow"
    second.dispose()


def test_an_incident_goes_through_its_states_with_owner_and_times(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    for status in (Status.ACKNOWLEDGED, Status.MITIGATING, Status.VERIFYING, Status.RESOLVED):
        store.move("1", status, Act(who="an"))
    incident = close(store, "1")
    assert (incident.owner, incident.step) == ("an", None)
    assert None not in (incident.acknowledged_at, incident.mitigating_at, incident.verifying_at)
    assert None not in (incident.resolved_at, incident.reviewed_at)


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ([], Status.REVIEWED),
        ([Status.RESOLVED], Status.ACKNOWLEDGED),
        ([Status.MITIGATING], Status.ACKNOWLEDGED),
        ([Status.RESOLVED, Status.REVIEWED], Status.OPEN),
    ],
)
def test_a_move_that_the_table_does_not_have_is_refused(store: Store, path: list[Status], refused: Status) -> None:
    store.open(IncidentIn(title="x"))
    for status in path:
        if status is Status.REVIEWED:
            close(store, "1")
        else:
            store.move("1", status, Act())
    with pytest.raises(InvalidInput, match=f"cannot become {refused}"):
        store.move("1", refused, Act())


def test_every_status_has_a_row_in_the_table() -> None:
    assert set(FOLLOWS) == set(Status)


def test_a_repeated_move_changes_nothing(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    first = store.move("1", Status.RESOLVED, Act(who="an"))
    assert store.move("1", Status.RESOLVED, Act(who="binh")) == first


def test_a_move_that_is_repeated_with_its_text_writes_no_second_line(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    once = store.move("1", Status.MITIGATING, Act(who="an", text="resume the connector"))
    assert store.move("1", Status.MITIGATING, Act(who="an", text="resume the connector")) == once
    assert store.move("1", Status.MITIGATING, Act(who="an", text="restart it")).timeline[-1].kind == "note"


def test_a_call_that_is_repeated_with_its_key_after_a_lost_answer_is_kept_once(store: Store) -> None:
    reported = IncidentIn(title="x", key="k1")
    assert [store.open(reported).id, store.open(reported).id] == ["INC-000001", "INC-000001"]
    calls: list[Callable[[], IncidentOut]] = [
        lambda: store.note("1", Note(text="seen", key="k2")),
        lambda: store.attach("1", EvidenceIn(title="diagnosis", body={}, key="k3")),
        lambda: store.move("1", Status.MITIGATING, Act(text="resume it", key="k4")),
    ]
    for call in calls:
        once = call()
        assert call() == once
    kinds = [one.kind for one in store.get("1").timeline]
    assert kinds == ["opened", "note", "evidence", "status"]
    store.move("1", Status.VERIFYING, Act())
    # The repair began before that: the repeated word of it does not lead back.
    assert calls[-1]().status is Status.VERIFYING


def test_a_key_names_one_call_and_no_other_incidents(store: Store) -> None:
    for title in ("x", "y"):
        store.open(IncidentIn(title=title))
        store.note("1", Note(text="without a key"))
    store.note("1", Note(text="seen", key="k1"))
    with pytest.raises(InvalidInput, match="kept for INC-000001"):
        store.note("2", Note(text="seen", key="k1"))
    assert [one.what for one in store.get("1").timeline].count("without a key") == 2


def test_an_unknown_incident_is_named(store: Store) -> None:
    for name in ("INC-000009", "9", "nine", "INC-"):
        with pytest.raises(NoSuchIncident, match=name):
            store.get(name)


def test_a_second_incident_for_an_ongoing_scenario_points_to_the_first(store: Store) -> None:
    store.open(IncidentIn(title="x", scenario="replication-lag"))
    with pytest.raises(InvalidInput, match="INC-000001 is already ongoing"):
        store.open(IncidentIn(title="y", scenario="replication-lag"))


def test_an_incident_that_another_desk_opened_meanwhile_is_seen_at_the_second_try(
    store: Store, engine: Engine
) -> None:
    """Where writers do not queue up (PostgreSQL), two that open one find none. Here the other one writes on the
    same connection, so its row goes with the first try.
    """
    columns = "title, status, severity, team, scenario, service, owner, metric, use_cases, root_cause, rca, opened_at"
    values = "'y', 'open', 'high', 'kafka', 'none', '', '', '', '[]', '', '', '2026-01-01 00:00:00'"
    tried: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def race(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO incidents") and not tried:
            tried.append(statement)
            row = f"INSERT INTO incidents ({columns}, open_key) VALUES ({values}, 'scenario:replication-lag')"
            connection.exec_driver_sql(row)

    assert store.open(IncidentIn(title="x", scenario="replication-lag")).title == "x"
    assert len(tried) == 1


def test_notes_and_evidence_stand_in_the_timeline_in_the_order_of_writing(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    store.note("1", Note(text="first", who="an"))
    store.attach("1", EvidenceIn(title="second", body={"a": [1]}, who="an"))
    incident = store.get("1")
    assert [entry.what for entry in incident.timeline[1:]] == ["first", "second"]
    assert incident.evidence[0].body == {"a": [1]}


@pytest.mark.skipif("DESK_TEST_URL" in os.environ, reason="fills SQLite's file")
def test_a_full_disk_leaves_nothing_half_written(store: Store, engine: Engine) -> None:
    store.open(IncidentIn(title="x"))
    before = store.get("1")

    @event.listens_for(engine, "begin")
    def fill(connection: object) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    with pytest.raises(OperationalError, match="full"):
        store.attach("1", EvidenceIn(title="big", body="x" * 500_000))
    assert store.get("1") == before


def test_a_migration_that_dies_half_way_leaves_the_old_schema_and_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'desk.sqlite'}"

    def die(config: object, revision: str) -> None:
        config.attributes["connection"].execute(text("CREATE TABLE incidents (id INTEGER)"))  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lakeproof.incidents.database.command.upgrade", die)
        with pytest.raises(KeyboardInterrupt):
            open_database(url)
    engine = open_database(url)
    assert "open_key" in {column["name"] for column in inspect(engine).get_columns("incidents")}
    engine.dispose()


def test_an_older_database_keeps_its_incidents_and_gets_the_new_columns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'desk.sqlite'}"
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO incidents (title, status, severity, team, scenario, service, owner, metric, use_cases,"
                " root_cause, rca, opened_at) VALUES ('old', 'open', 'high', 'kafka', 'none', '', '', '', '[]', '',"
                " '', '2026-01-01 00:00:00')"
            )
        )
    engine.dispose()
    newer = open_database(url)
    assert Store(newer).get("1").title == "old"
    assert "source" in {column["name"] for column in inspect(newer).get_columns("alerts")}
    assert [one["unique"] for one in inspect(newer).get_indexes("entries") if one["column_names"] == ["key"]] == [1]
    newer.dispose()


def test_a_database_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'desk.sqlite'}"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(TerminalError, match=r"not one this program knows.*run the newer Lakeproof"):
        open_database(url)


def test_a_file_that_is_no_database_is_said_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite"
    path.write_text("these are not the rows you are looking for " * 50)
    with pytest.raises(TerminalError, match="not a database"):
        open_database(f"sqlite:///{path}")
    assert path.read_text().startswith("these")


@pytest.mark.skipif("DESK_TEST_URL" in os.environ, reason="compares with SQLite's names of types")
def test_the_models_and_the_migrations_agree(engine: Engine) -> None:
    made = create_engine("sqlite://")
    Base.metadata.create_all(made)
    for table in Base.metadata.sorted_tables:
        columns = [
            {column["name"]: str(column["type"]) for column in inspect(one).get_columns(table.name)}
            for one in (made, engine)
        ]
        assert columns[0] == columns[1]
    made.dispose()


@pytest.mark.parametrize("url", ["nonsense", "strange://x"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="desk_url"):
        open_database(url)
