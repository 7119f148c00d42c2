"""The peer side by side: what a look sees at an instant, and what is counted of it."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import beside_flink_cdc
from benchmarks.benchmark import Options
from benchmarks.beside_flink_cdc import peer_job, turn
from benchmarks.beside_flink_cdc.judging import compared, longest_pause, published_at
from benchmarks.beside_flink_cdc.lake_states import (
    State,
    changes_of,
    instants,
    looks_at,
    newest_cut,
    newest_of_each,
)
from benchmarks.beside_flink_cdc.sides import SIDES
from lakeproof.install import artifacts
from lakeproof.lake.publish.snapshots import Kind, Snapshot
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

HAS_KEY = {"orders": True, "order_items": True}


def timed(number: int, checkpoint: int, kind: Kind, at: float) -> Snapshot:
    return Snapshot(number, checkpoint, kind, 0, 5, 5, "job", round(at * 1000))


def checkpoint(number: int, begin: float) -> list[Snapshot]:
    """Its two snapshots, half a second apart."""
    first = number * 2 - 1
    return [timed(first, number, Kind.APPEND, begin), timed(first + 1, number, Kind.COMPACT, begin + 0.5)]


# Each checkpoint comes to the items three quarters of a second after it came to the orders.
SNAPSHOTS = {
    "orders": [*checkpoint(1, 10.0), *checkpoint(2, 12.0)],
    "order_items": [*checkpoint(1, 10.75), *checkpoint(2, 12.75)],
}


def test_a_reader_of_each_tables_newest_snapshot_sees_a_state_between_two_checkpoints() -> None:
    assert newest_of_each(changes_of(SNAPSHOTS, HAS_KEY)) == [
        (11.25, {"orders": 2, "order_items": 2}),
        (12.5, {"orders": 4, "order_items": 2}),
        (13.25, {"orders": 4, "order_items": 4}),
    ]


def test_a_reader_of_one_checkpoint_waits_for_the_last_table() -> None:
    assert newest_cut(SNAPSHOTS, HAS_KEY) == [
        (11.25, {"orders": 2, "order_items": 2}),
        (13.25, {"orders": 4, "order_items": 4}),
    ]


def test_a_table_without_a_key_shows_what_was_appended_at_once() -> None:
    changes = changes_of({"events": checkpoint(1, 10.0)}, {"events": False})
    assert [since for since, _ in newest_of_each(changes)] == [10.0, 10.5]


def test_looks_are_weighed_by_the_time_that_a_state_stood_and_each_state_is_judged_once() -> None:
    judged: list[State] = []

    def judge(states: Sequence[State]) -> list[int]:
        judged.extend(states)
        return [7 if state["orders"] != state["order_items"] else 0 for state in states]

    states = newest_of_each(changes_of(SNAPSHOTS, HAS_KEY))
    looks = looks_at(states, instants(10.25, 14.25, 400), judge)
    assert (looks.looks, looks.states, looks.blind, looks.most_orders) == (400, 3, 100, 7)
    assert looks.torn == 75
    assert len(judged) == 3


def test_an_order_is_on_main_with_the_first_published_state_that_is_not_older() -> None:
    shown = {1: 10.5, 2: 12.5, 3: 99.0}
    orders = [timed(2, 1, Kind.COMPACT, 10.5), timed(4, 2, Kind.COMPACT, 12.5), timed(6, 3, Kind.COMPACT, 99.0)]
    assert published_at(shown, orders, [(11.0, {"orders": 1}), (13.0, {"orders": 4})]) == {1: 13.0, 2: 13.0}


def test_the_pause_after_a_kill_is_the_longest_and_reaches_to_the_end_where_nothing_came() -> None:
    assert longest_pause([1.0, 9.0, 11.0, 30.0, 32.0], 12.0, 33.0) == 19.0
    assert longest_pause([1.0, 9.0], 12.0, 33.0) == 24.0


def test_rows_are_compared_by_key() -> None:
    lake = [("1", "paid"), ("1", "paid"), ("2", "created"), ("9", "paid")]
    assert compared([("1", "paid"), ("2", "paid"), ("3", "paid")], lake) == {
        "rows_in_mariadb": 3,
        "rows_in_the_lake": 4,
        "lost": 1,
        "duplicated": 1,
        "stale": 1,
        "phantom": 1,
    }


def test_the_peer_gets_our_tables_in_one_statement_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "source.jar").touch()
    monkeypatch.setattr(artifacts, "path", lambda name: tmp_path)
    said = list(peer_job.statements(Stack(Settings(name="none", state_dir=tmp_path / "state"))))
    assert said[0] == f"ADD JAR 'file://{tmp_path}/lib/source.jar'"
    made = {table: next(each for each in said if f"store.peer.{table} " in each) for table in peer_job.TABLES}
    for created in made.values():
        assert created.count("PRIMARY KEY (id) NOT ENFORCED") == 1
        assert "'deletion-vectors.enabled' = 'true'" in created
        assert "transaction-aligner" not in created
    assert "metadata.iceberg.storage" in said[1]
    assert "force-create-snapshot" not in said[1]
    assert said[-1].count("INSERT INTO") == 3
    assert said[-1].startswith("EXECUTE STATEMENT SET BEGIN")


def look(side: str, way: str, torn: int) -> dict[str, object]:
    return {"side": side, "a_look_takes": way, "looks": 1000, "torn": torn}


def test_times_of_several_turns_are_compared_by_their_medians() -> None:
    def of(side: str, p99: float, pause: float) -> tuple[dict[str, object], dict[str, object]]:
        return {"side": side, "asked_per_s": 50.0, "paimon_p99_s": p99}, {"side": side, "no_rows_for_s": pause}

    turns = [of("ours", 2.0, 10.0), of("ours", 3.0, 20.0), of("ours", 9.0, 12.0), of("peer", 4.0, 6.0)]
    tables: beside_flink_cdc.Tables = {
        beside_flink_cdc.LOOKS: [look("ours", "published hash", 0)],
        beside_flink_cdc.FRESH: [fresh for fresh, _ in turns],
        beside_flink_cdc.KILL: [kill for _, kill in turns],
        beside_flink_cdc.DATA: [],
    }
    told = beside_flink_cdc.result_of(Options(rounds=3), tables)
    assert [ratio.value for ratio in told.ratios] == [0, 0.75, 2.0]


def test_ours_without_a_published_hash_to_look_at_is_not_taken_for_whole() -> None:
    tables: beside_flink_cdc.Tables = {
        beside_flink_cdc.LOOKS: [look("ours", "newest of each table", 300)],
        **{title: [] for title in (beside_flink_cdc.FRESH, beside_flink_cdc.KILL, beside_flink_cdc.DATA)},
    }
    told = beside_flink_cdc.result_of(Options(), tables)
    assert (told.failed, told.unknown, told.ratios) == (False, True, [])


def test_rows_that_were_compared_while_others_still_came_are_not_known_to_be_lost() -> None:
    row = {"side": "ours", "lost": 3, "duplicated": 0, "stale": 0, "phantom": 0, "drained": False}
    tables: beside_flink_cdc.Tables = {
        beside_flink_cdc.LOOKS: [look("ours", "published hash", 0)],
        beside_flink_cdc.DATA: [row],
        **{title: [] for title in (beside_flink_cdc.FRESH, beside_flink_cdc.KILL)},
    }
    told = beside_flink_cdc.result_of(Options(), tables)
    assert (told.failed, told.unknown) == (False, True)
    assert told.notes[-1] == "ours: rows still came 120 s after the load, nothing is known by key"


@pytest.mark.parametrize(("brings", "drained"), [(5, False), (0, True)])
def test_a_wait_for_the_last_rows_tells_whether_they_came(
    brings: int, drained: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers = itertools.count(1)
    monkeypatch.setattr(turn, "s3_client", lambda stack: None)
    monkeypatch.setattr(turn, "get_object", lambda s3, key: str(next(numbers)))
    monkeypatch.setattr(turn, "parse_snapshot", lambda text: SimpleNamespace(delta_records=brings))
    monkeypatch.setattr(turn, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(turn, "DRAIN_SECONDS", 0.2)
    monkeypatch.setattr(turn, "TABLES", ("orders",))
    assert turn._drain(SIDES[0], Stack(Settings(name="none", state_dir=tmp_path))) is drained


def test_it_fails_where_ours_is_torn_by_hash_and_not_for_what_the_peer_shows() -> None:
    def result(ours: int) -> tuple[bool, list[float]]:
        looks = [look("ours", "published hash", ours), look("ours", "newest of each table", 300)]
        looks.append(look("peer", "newest of each table", 900))
        rows = {"lost": 0, "duplicated": 0, "stale": 0, "phantom": 0, "drained": True}
        tables: beside_flink_cdc.Tables = {
            beside_flink_cdc.LOOKS: looks,
            beside_flink_cdc.FRESH: [
                {"side": "ours", "asked_per_s": 50.0, "paimon_p99_s": 2.0},
                {"side": "peer", "asked_per_s": 50.0, "paimon_p99_s": 4.0},
            ],
            beside_flink_cdc.KILL: [{"side": "ours", "no_rows_for_s": 10.0}],
            beside_flink_cdc.DATA: [{"side": "ours", **rows}, {"side": "peer", **rows, "lost": 3}],
        }
        told = beside_flink_cdc.result_of(Options(), tables)
        return told.failed, [ratio.value for ratio in told.ratios]

    assert result(0) == (False, [0, 0.9, 0.5])
    assert result(1)[0]
