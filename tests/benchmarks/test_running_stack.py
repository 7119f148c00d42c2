"""Benchmarks of a running stack: what they count, and what they refuse to take for a measurement."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from tests.published_commit import published_commit

from benchmarks import alert_storm, at_rest, projection, rate, recovery, sightings
from benchmarks.benchmark import Options
from benchmarks.check_time import result_of
from benchmarks.projection import Sample, Watch, row_of
from benchmarks.recovery import pause_around
from benchmarks.usage import Usage
from lakeproof.incidents.database import open_database
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State
from lakeproof.proof.report import CheckReport
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.report import Counts, TrafficReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def commit(second: float, beat_second: float | None = None) -> PublishedCommit:
    at = NOW + timedelta(seconds=second)
    beat_us = None if beat_second is None else int((NOW.timestamp() + beat_second) * 1e6)
    return published_commit(f"{second}", at, 1, None, beat_us, {}, at)


def test_the_pause_is_the_longest_between_two_commits_after_the_last_one_before_the_kill() -> None:
    commits = [commit(0), commit(30, 29), commit(32, 31), commit(33, 32), commit(48.5), commit(50), commit(52)]
    found = pause_around(commits, NOW.timestamp() + 32.5)
    assert found == {"pause_s": 15.5, "published_after_s": 16.0, "worst_age_s": 16.5}


def test_a_pause_whose_begin_is_older_than_every_known_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    later = [commit(second, second - 1) for second in (1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3)]
    shoppers = SimpleNamespace(stop=lambda: SimpleNamespace(counts=Counts()))
    monkeypatch.setattr(recovery, "SupervisorClient", lambda stack: SimpleNamespace(row=lambda name: None))
    monkeypatch.setattr(recovery, "sql_shoppers", lambda *_: shoppers)
    monkeypatch.setattr(recovery, "catch_up", lambda stack: None)
    monkeypatch.setattr(recovery, "kill_and_await", lambda *_: None)
    monkeypatch.setattr(recovery, "PAUSE_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(recovery, "_published", lambda stack: later)
    found = recovery.run(Stack(Settings(name="none")), Options(rounds=1, rates=(20.0,)), lambda text: None)
    (row,) = found.tables["kill -9 at 20 orders/s"]
    assert (found.unknown, found.ratios, row["pause_s"], row["worst_age_s"]) == (True, [], None, None)


def test_a_check_that_could_not_look_leaves_its_time_unknown() -> None:
    result = result_of(Options(), [CheckReport(NOW, None, 0, 0, 0, 0, unknown=("trino: away",), seconds=50.0)])
    assert (result.failed, result.unknown, result.ratios[0].value) == (False, True, 2.0)
    assert result.notes == ["run 1 unknown: trino: away"]


def test_a_stack_whose_ledger_grows_is_not_at_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stack = Stack(Settings(name="none", state_dir=tmp_path))

    class Counted:
        def __init__(self, stack: Stack) -> None:
            pass

        def table(self) -> list[dict[str, object]]:
            stack.ledger_dir.mkdir(parents=True, exist_ok=True)
            if buys:
                (stack.ledger_dir / "calls").write_text("a call")
            return [{"component": "all", "cpu_percent": 20.0, "rss_mib": 1024}]

    monkeypatch.setattr(at_rest, "Usage", Counted)
    monkeypatch.setattr(at_rest, "WARM_SECONDS", 0.0)
    buys = False
    assert not at_rest.run(stack, Options(seconds=0.01), lambda text: None).unknown
    buys = True
    assert at_rest.run(stack, Options(seconds=0.01), lambda text: None).unknown


def test_a_child_that_has_ended_counts_with_its_component(monkeypatch: pytest.MonkeyPatch) -> None:
    work = "import time\nwhile time.process_time() < 0.5: pass"
    parent = (
        "import subprocess, sys; sys.stdin.readline();"
        f"subprocess.run([sys.executable, '-c', {work!r}]); print('done', flush=True); sys.stdin.readline()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    row = ProcessRow("worker", State.RUNNING, Health.HEALTHY, process.pid, 0, 0.0, 0, None, {}, "")
    monkeypatch.setattr(SupervisorClient, "ps", lambda self: [row])
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        started, usage = time.monotonic(), Usage(Stack(Settings(name=f"none-{os.getpid()}")))
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        worker, both = usage.table()
        assert (worker["component"], both["component"]) == ("worker", "all")
        assert worker["cpu_percent"] / 100 * (time.monotonic() - started) > 0.45
        assert worker["cpu_percent"] == both["cpu_percent"]
    finally:
        process.communicate("\n")


def test_an_order_of_the_warming_that_was_not_seen_is_not_counted() -> None:
    watch = Watch("http://127.0.0.1:1")
    watch.stop()
    watch.seen = {Sample(1, 7, 99.0): 9.0, Sample(2, 7, 101.0): 0.25}
    watch.missed = [Sample(3, 7, 98.0), Sample(4, 7, 150.0)]
    report = TrafficReport("r", 1, 50.0, 60.0, Counts(), 50.0, {}, {}, {}, {}, {}, [], "")
    row = row_of(50.0, watch, report, 100.0, 160.0)
    assert (row["samples"], row["not_seen"], row["read_max_s"]) == (1, 1, 0.25)


@pytest.mark.parametrize("body", [b"{", b"{}", b"[]"])
def test_an_order_whose_reads_cannot_be_understood_is_counted_as_missed(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "GIVE_UP_SECONDS", 0.02)
    watch, sample = Watch("http://127.0.0.1:1"), Sample(1, 7, 99.0)
    watch._client.close()
    answers = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    watch._client = httpx.Client(base_url="http://support", transport=answers)
    watch.samples.put(sample)
    watch.stop()
    assert (watch.missed, watch.failed) == ([sample], watch.asked)


def test_a_look_for_published_orders_that_breaks_is_told_and_the_next_one_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = threading.Semaphore(0)

    def history(branch: str, most: int) -> list[object]:
        looked.release()
        raise KeyError("orders")

    monkeypatch.setattr(sightings, "s3_client", lambda stack: None)
    monkeypatch.setattr(sightings, "client_of", lambda stack: SimpleNamespace(history=history, close=lambda: None))
    monkeypatch.setattr(sightings.Watch, "_newest_id", lambda self: 0)
    watch = sightings.Watch(Stack(Settings(name="none")))
    assert all(looked.acquire(timeout=5) for _ in range(2))
    watch.stop()
    assert watch.problems[0] == "KeyError: 'orders'"


@pytest.mark.parametrize("groups_twice", [0, 2])
def test_a_storm_that_waited_for_the_desk_makes_up_for_it_and_counts_second_incidents_of_a_group(
    monkeypatch: pytest.MonkeyPatch, groups_twice: int
) -> None:
    now = 100.0

    class Desk:
        def __init__(self, stack: Stack) -> None:
            pass

        def send(self, body: dict[str, object]) -> float:
            sent.append(now)
            return 0.001

        def known(self, body: dict[str, object]) -> int:
            return alert_storm.ALERTS_EACH

        def incidents(self) -> list[dict[str, object]]:
            services: list[object] = ["storm", "part-0-1", "part-0-3", *["storm", "part-0-3"][:groups_twice]]
            found: list[dict[str, object]] = [
                {"service": each, "opened_at": "2999-01-01T00:00:00+00:00"} for each in services
            ]
            found += [{"service": "storm", "opened_at": "2020-01-01T00:00:00+00:00"}]  # of a storm before
            found += [{"service": "kafka", "opened_at": "2999-01-01T00:00:00+00:00"}] * 2
            return found

    class Clock:
        def __init__(self, seconds: float) -> None:
            self.begun = now

        @property
        def elapsed(self) -> float:
            return now - self.begun

        def pause(self, seconds: float) -> None:
            nonlocal now
            now += seconds

    def kill(client: SupervisorClient, names: list[str], deadline: Clock) -> None:
        deadline.pause(7.0)  # the desk's start

    sent: list[float] = []
    monkeypatch.setattr(alert_storm, "_Desk", Desk)
    monkeypatch.setattr(alert_storm, "Deadline", Clock)
    monkeypatch.setattr(alert_storm, "kill_and_await", kill)
    monkeypatch.setattr(alert_storm, "Usage", lambda stack: SimpleNamespace(table=list))
    result = alert_storm.run(Stack(Settings(name="none")), Options(seconds=60, rounds=2), lambda text: None)
    (row,) = result.tables["500 alerts a minute"]
    assert (result.failed, row["lost"], row["second_incidents"]) == (groups_twice > 0, 0, groups_twice)
    storm = sent[: 2 * 50 - 1]
    assert storm[-1] - storm[0] < 60.0


def test_a_desk_has_one_incident_for_each_group_of_the_storm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'desk.sqlite'}")
    store = Store(engine)
    for number in range(9):
        for status, of in (("firing", number), ("firing", number), ("resolved", number - 1)):
            if of >= 0:
                store.receive(Notification.model_validate(alert_storm._notification(1000, of, status)))
    monkeypatch.setattr(alert_storm, "PAGE", 10)

    def listed(_: str, params: dict[str, str]) -> httpx.Response:
        page = store.newest_first(most=int(params["most"]), before=params.get("before", ""))
        return httpx.Response(200, json=[row.model_dump(mode="json") for row in page])

    desk = alert_storm._Desk(Stack(Settings(name="none", state_dir=tmp_path)))
    monkeypatch.setattr(desk, "_client", SimpleNamespace(get=listed))
    rows = desk.incidents()
    engine.dispose()
    assert (len(rows), alert_storm.second_incidents_of(rows, 0.0)) == (9 * 5 + 1, 0)


def test_rates_rise_until_one_does_not_hold_and_the_use_told_is_that_of_the_highest_that_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(rate, "catch_up", lambda stack: None)
    monkeypatch.setattr(rate, "Usage", lambda stack: SimpleNamespace(table=lambda: [{"component": "all"}]))

    def attempt(asked: float) -> tuple[rate.Row, str]:
        return {"asked_per_s": asked, "behind_s": 2.0, "holds": asked < 30}, f"{asked:g}"

    rows, highest, used = rate.rise(Stack(Settings(name="none")), (40, 10, 20, 30), attempt, said.append)
    assert [row["asked_per_s"] for row in rows] == [10, 20, 30]
    assert (highest, used) == (20, {20: [{"component": "all"}]})
    assert said[-1] == "30, the lake 2 s behind: does not hold"
