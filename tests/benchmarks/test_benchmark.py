"""Benchmarks are found by their folder, say how to do them again, and touch no captured table."""

from datetime import UTC, datetime
from io import BytesIO

import pytest
from tests.published_commit import published_commit

from benchmarks import audit, scratch_database, whole_transactions
from benchmarks.benchmark import Options, Ratio, Result, all_benchmarks, find
from benchmarks.own_stack import PORTS_BESIDE
from benchmarks.sightings import between, committed_at
from lakeproof.errors import InvalidInput
from lakeproof.proof.tables.every_hash import EveryHash, Torn
from lakeproof.provisioning.mysql import schema_statements
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.order_claims import BrokenOrder


def test_every_benchmark_needs_components_that_exist() -> None:
    benchmarks = all_benchmarks()
    assert {"order-api", "freshness", "start", "start-all"} <= set(benchmarks)
    for one in benchmarks.values():
        assert set(one.needs) <= set(all_components())


def test_an_unknown_benchmark_is_refused_with_the_names() -> None:
    with pytest.raises(InvalidInput, match="order-api"):
        find("nope")


def test_a_result_carries_its_machine_and_the_command_that_does_it_again() -> None:
    result = Result("freshness", Options(30, (50, 200)), {}, [Ratio("a to b", 0.5)])
    assert result.command == "lakeproof bench freshness --seconds 30 --rate 50 --rate 200"
    assert result.to_json()["machine"]["cores"] >= 1


def test_the_scratch_database_never_names_the_captured_one() -> None:
    for statement in schema_statements():
        assert "oltp" not in scratch_database.moved(statement)


def test_the_stack_that_is_started_beside_takes_no_port_of_the_usual_one() -> None:
    ports = {port for component in all_components().values() for port in component.ports.values()}
    assert not ports & {port + PORTS_BESIDE for port in ports}
    assert max(ports) + PORTS_BESIDE < 32_768


def test_when_paimon_committed_is_read_from_the_snapshot_that_trino_read() -> None:
    class Store:
        def get_object(self, Bucket: str, Key: str) -> dict[str, BytesIO]:
            assert (Bucket, Key) == ("lake", "wh/oltp.db/orders/snapshot/snapshot-7")
            return {"Body": BytesIO(b'{"id": 7, "timeMillis": 1700000000250}')}

    assert committed_at(Store(), 7) == 1_700_000_000.25


def test_commits_that_a_long_query_passed_over_are_counted_although_the_last_one_is_out_of_sight() -> None:
    assert [between(["d", "c", "b", "a"], last) for last in "cba"] == [0, 1, 2]
    assert between(["d", "c", "b"], "a") == 2


def test_kills_are_spread_over_the_hashes_where_their_number_is_given() -> None:
    made: list[int] = []
    for judged in range(0, 100, 5):
        if whole_transactions.is_due(judged, 100, len(made), rounds=4):
            made.append(judged)
    assert made == [0, 25, 50, 75]
    assert not whole_transactions.is_due(102, 100, 4, rounds=4)  # judged in the pause before the last look
    assert all(whole_transactions.is_due(judged, 100, 50, rounds=0) for judged in (0, 3, 99))


@pytest.mark.parametrize(
    ("torn", "judged", "waiting", "ends"),
    [(0, 40, 0, (False, False)), (1, 40, 0, (True, False)), (0, 40, 3, (False, True)), (0, 0, 0, (False, True))],
    ids=["all whole", "one torn", "some not looked at", "none judged"],
)
def test_one_torn_hash_fails_and_one_that_nobody_looked_at_is_not_taken_for_whole(
    torn: int, judged: int, waiting: int, ends: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EveryHash, "look", lambda self, deadline: [])
    now = datetime.now(UTC)
    commit = published_commit("ab" * 32, now, 43, None, None, {}, now)
    found = [Torn(commit, (BrokenOrder("claim", 7, "no order, 1 events"),))] * torn
    following = EveryHash(Stack(Settings(name="none")), "", judged, 0, waiting, found)
    judging = whole_transactions.Judging(following, lambda text: None)
    judging.complete = True
    result = whole_transactions.result_of(Options(kills=("kafka",), seed=3), judging, [], 100)
    assert (result.failed, result.unknown) == ends
    judging.complete = False
    assert whole_transactions.result_of(Options(), judging, [], 100).unknown
    judging.complete = True
    interrupted = whole_transactions.result_of(Options(), judging, [], 100, "interrupted")
    assert interrupted.unknown and "interrupted" in interrupted.notes
    assert [row["first"] for row in result.tables["torn hashes"]] == [
        "abababababababab, checkpoint 43: order 7: no order, 1 events"
    ] * torn
    assert result.command == "lakeproof bench whole-transactions --seed 3 --kill kafka"
    following.waiting = 0
    judging.stop()


def test_two_ways_of_an_audit_that_do_not_tell_the_same_fail_it_whatever_they_cost() -> None:
    row = {"hashes": 3, "states_by_changes": 2, "states_whole": 1, "not_judged": 0, "torn": 1, "seconds": 1.0}
    rows = [row | {"way": audit.WHOLE, "seconds_a_state": 0.4}, row | {"way": audit.CHANGES, "seconds_a_state": 0.1}]
    same = [{"ab": {"order 7: no order, 1 events"}, "cd": set[str]()}] * 2
    result = audit.result_of(Options(rates=(20.0,)), rows, same, 1234)
    assert (result.failed, result.unknown, result.notes) == (False, False, ["1234 orders in the lake"])
    assert [(ratio.value, ratio.met) for ratio in result.ratios] == [(0.25, True)]
    assert result.command == "lakeproof bench audit --rate 20"
    assert audit.result_of(Options(), rows, [same[0], {"ab": set(), "cd": set()}], 1234).failed
    assert audit.result_of(
        Options(), [row | {"way": audit.WHOLE, "seconds_a_state": 1, "hashes": 0}], same[:1], 0
    ).unknown
    cut_off = [rows[0] | {"not_judged": 2}, rows[1]]
    missed = audit.result_of(Options(), cut_off, [{"ab": set(), "cd": set()}, same[0]], 0)
    assert (missed.failed, missed.unknown) == (False, True), "it did not come to the torn hash"
    assert audit.result_of(Options(), cut_off, [same[0], {"ab": set(), "cd": set()}], 0).failed
    never = [rows[0], rows[1] | {"states_by_changes": 1}]
    assert audit.result_of(Options(), never, same, 0).unknown
