"""The supervisor as its users see it: real small processes under a real daemon."""

import errno
import json
import math
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.processes.conftest import MakeClient

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, PortTaken, TerminalError
from lakeproof.processes import handed_variable, lock, ports, procfs, sweep
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.events import Event
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.start_failure import StartFailed
from lakeproof.processes.states import Health, State
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

type Await = Callable[[SupervisorClient, str, Callable[[ProcessRow], bool]], ProcessRow]


def healthy(row: ProcessRow) -> bool:
    return row.health == Health.HEALTHY


def kill_daemon(client: SupervisorClient) -> None:
    holder = lock.living_holder(client.runtime)
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    Deadline(60).wait_for("its end", lambda: None if procfs.is_alive(holder.process) else True, every=0.02)


def wait_until_gone(pid: int) -> None:
    def look() -> bool | None:
        stat = procfs.read_stat(pid)
        return True if stat is None or not stat.alive else None

    Deadline(60).wait_for(f"the end of pid {pid}", look, every=0.02)


def test_up_starts_each_component_after_what_it_needs_is_ready(client: SupervisorClient) -> None:
    events: list[Event] = []
    assert sorted(client.up(["top"], events.append)) == ["base", "middle", "top"]
    steps = [(event.component, event.what) for event in events if event.what in ("starting", "ready")]
    assert steps == [(name, what) for name in ("base", "middle", "top") for what in ("starting", "ready")]
    assert [row.health for row in client.ps()] == [Health.HEALTHY] * 3


def test_no_second_stack_starts_on_the_data_of_one_that_runs(make_client: MakeClient, tmp_path: Path) -> None:
    first = make_client("first", folder=tmp_path / "data")
    first.up(["base"])
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for name, folder in (("second", "data"), ("first", "link")):
        with pytest.raises(InvalidInput, match=rf"runs on it .* another name or path: {first.runtime.key}-"):
            make_client(name, folder=tmp_path / folder).up(["base"])
    assert first.row("base").health == Health.HEALTHY


def test_up_without_names_starts_everything_but_what_is_on_demand(client: SupervisorClient) -> None:
    assert sorted(client.up()) == ["base", "middle", "top"]


def test_what_does_not_need_each_other_starts_at_the_same_time(client: SupervisorClient) -> None:
    events: list[Event] = []
    client.up(["both"], events.append)
    order = [f"{event.component} {event.what}" for event in events if event.what in ("starting", "ready")]
    assert {order[0], order[1]} == {"left starting", "right starting"}
    assert order[-2:] == ["both starting", "both ready"]


def test_a_component_starts_at_once_and_is_provisioned_when_its_provision_needs_are_healthy(
    client: SupervisorClient,
) -> None:
    events: list[Event] = []
    client.up(["late"], events.append)
    order = [f"{event.component} {event.what}" for event in events]
    assert order.index("late starting") < order.index("left ready") < order.index("late provisioning")
    assert (client.stack.state_dir / "late-provisioned").exists()
    assert [step.component for step in client.chain()] == ["left", "late"]


def test_up_on_a_running_stack_starts_only_what_is_missing(client: SupervisorClient) -> None:
    client.up(["base"])
    before = client.row("base").pid
    assert client.up(["middle"]) == ["middle"]
    assert client.row("base").pid == before


def test_a_child_gets_a_small_clean_environment(fresh: SupervisorClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_SHELL", "1")
    fresh.up(["base"])
    pid = fresh.row("base").pid
    assert pid is not None
    environment = procfs.read_environment(pid)
    assert environment["GIVEN"] == "yes" and environment["TZ"] == "UTC" and environment["LANG"] == "C.UTF-8"
    assert environment["LAKEPROOF_NAME"] == "small"
    assert environment["LAKEPROOF_STATE_DIR"] == str(fresh.stack.state_dir)
    assert fresh.runtime.owns(environment["LAKEPROOF_RUN_ID"])
    assert "OF_THE_SHELL" not in environment


def test_a_stopped_process_becomes_unhealthy_is_left_alone_and_comes_back(
    client: SupervisorClient, await_row: Await
) -> None:
    client.up(["base"])
    before = client.row("base")
    client.kill("base", "STOP")
    row = await_row(client, "base", lambda row: row.health == Health.UNHEALTHY)
    assert row.state == State.PAUSED and "SIGSTOP" in row.reason
    client.kill("base", "CONT")
    row = await_row(client, "base", healthy)
    assert (row.pid, row.restarts) == (before.pid, before.restarts)


def test_a_component_is_let_go_on_also_where_it_does_not_run(client: SupervisorClient, await_row: Await) -> None:
    client.up(["base"])
    client.kill("base", "STOP")
    await_row(client, "base", lambda row: row.health == Health.UNHEALTHY)
    client.let_go_on("base")
    await_row(client, "base", healthy)
    client.stop("base")
    client.let_go_on("base")
    with pytest.raises(InvalidInput, match="no component 'bose', closest: 'base'"):
        client.row("bose")


def test_up_says_at_once_that_a_component_is_stopped_by_a_signal(client: SupervisorClient, await_row: Await) -> None:
    client.up(["base"])
    client.kill("base", "STOP")
    await_row(client, "base", lambda row: row.health == Health.UNHEALTHY)
    with pytest.raises(StartFailed, match="stopped by a signal"):
        client.up(["base"])


def test_a_killed_component_is_started_again_and_counted(client: SupervisorClient, await_row: Await) -> None:
    client.up(["base"])
    before = client.row("base")
    assert client.kill("base") == 1
    row = await_row(client, "base", lambda row: row.restarts == before.restarts + 1 and healthy(row))
    assert row.pid != before.pid


def test_one_that_is_killed_on_purpose_is_started_again_and_not_counted(
    client: SupervisorClient, await_row: Await
) -> None:
    client.up(["base"])
    before = client.row("base")
    client.kill("base", counted=False)
    row = await_row(client, "base", lambda row: row.pid != before.pid and healthy(row))
    assert row.restarts == before.restarts
    client.kill("base")
    await_row(client, "base", lambda row: row.restarts == before.restarts + 1 and healthy(row))


def test_a_try_that_had_no_process_is_no_restart(client: SupervisorClient, await_row: Await) -> None:
    client.up(["held"])
    mark = client.stack.state_dir / "held-by-another"
    mark.touch()
    client.kill("held")
    Deadline(30).wait_for("two tries", lambda: True if mark.read_text().count("tried") >= 2 else None)
    mark.unlink()
    row = await_row(client, "held", healthy)
    assert row.restarts == 1


def test_a_grandchild_in_a_session_of_its_own_is_swept_when_its_component_is_killed(
    client: SupervisorClient, await_row: Await
) -> None:
    client.up(["parent"])
    pid = client.row("parent").pid
    assert pid is not None
    grandchild = int((client.stack.state_dir / "child.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    await_row(client, "parent", lambda row: row.restarts == 1 and healthy(row))
    wait_until_gone(grandchild)


def test_what_must_not_outlive_a_component_is_killed_with_it_even_when_stopped(
    client: SupervisorClient, await_row: Await
) -> None:
    client.up(["worker"])
    worker = client.row("worker").pid
    client.kill("worker", "STOP")
    client.kill("master")
    row = await_row(client, "worker", lambda row: row.restarts == 1 and healthy(row))
    assert row.pid != worker
    assert client.row("master").restarts == 1


def steps_back_by(client: SupervisorClient, name: str, nice: int) -> None:
    """Wait until that component has this priority, counted from the daemon's own, and its session where it can."""
    level = min(19, os.getpriority(os.PRIO_PROCESS, 0) + nice)
    pid = client.row(name).pid
    assert pid is not None

    def look() -> bool | None:
        group = Path(f"/proc/{pid}/autogroup")
        session = not os.access(group, os.W_OK) or group.read_text().endswith(f" {nice}\n")
        return True if session and os.getpriority(os.PRIO_PROCESS, pid) == level else None

    Deadline(20).wait_for(f"{name} at nice {nice}", look, every=0.05)


def test_a_component_steps_back_once_it_is_healthy_after_a_crash_too(
    client: SupervisorClient, await_row: Await
) -> None:
    client.up(["modest", "base"])
    steps_back_by(client, "modest", 7)
    grandchild = int((client.stack.state_dir / "modest.pid").read_text())
    assert os.getpriority(os.PRIO_PROCESS, grandchild) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 7)
    steps_back_by(client, "base", 0)
    client.kill("modest")
    await_row(client, "modest", lambda row: row.restarts == 1 and healthy(row))
    steps_back_by(client, "modest", 7)


def test_a_component_that_ignores_its_stop_signal_is_killed(client: SupervisorClient) -> None:
    client.up(["deaf"])
    pid = client.row("deaf").pid
    assert pid is not None
    assert client.stop("deaf")
    wait_until_gone(pid)
    assert client.row("deaf").state == State.STOPPED


def test_a_stopped_component_stays_stopped_until_it_is_started(client: SupervisorClient) -> None:
    client.up(["polite"])
    assert client.stop("polite")
    assert (client.stack.state_dir / "said-goodbye").exists()
    assert not client.stop("polite")
    assert client.row("polite").pid is None
    assert client.start("polite") == ["polite"]
    assert healthy(client.row("polite"))
    assert client.row("polite").restarts == 0


def test_a_component_is_started_with_another_source_and_keeps_it_over_a_crash(
    fresh: SupervisorClient, await_row: Await, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, payment = "SERVICE_ORDER_SERVICE_URL", "SERVICE_PAYMENT_SERVICE_URL"

    def found() -> tuple[str | None, str | None]:
        pid = fresh.row("base").pid
        assert pid is not None
        environment = procfs.read_environment(pid)
        assert "LAKEPROOF_NAME" in environment and "TERM" not in environment
        return environment.get(order), environment.get(payment)

    monkeypatch.delenv(order, raising=False)
    monkeypatch.setenv(payment, "http://daemons:1")
    fresh.up(["base"])
    assert found() == (None, "http://daemons:1")
    off = {order: "", "TERM": "no service's address"}
    with pytest.raises(InvalidInput, match="runs with other SERVICE_"):
        fresh.start("base", variables=off)
    assert fresh.start("base", variables={payment: "http://daemons:1"}) == []  # what it runs with
    fresh.stop("base")
    fresh.start("base", variables=off)
    assert found() == ("", "http://daemons:1")
    fresh.kill("base")
    await_row(fresh, "base", lambda row: healthy(row) and row.restarts == 1)
    assert found() == ("", "http://daemons:1")
    fresh.stop("base")
    fresh.start("base")  # who says nothing changes nothing
    assert found() == ("", "http://daemons:1")
    fresh.stop("base")
    fresh.up(["base"])  # so does `lakeproof up`, by which a person types what restart_component does
    assert found() == ("", "http://daemons:1")
    fresh.stop("base")
    fresh.start("base", variables={})  # as the stack has them again
    assert found() == (None, "http://daemons:1")


def test_a_variable_that_is_handed_leaves_the_other_ones_also_without_a_process(
    fresh: SupervisorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, payment = "SERVICE_ORDER_SERVICE_URL", "SERVICE_PAYMENT_SERVICE_URL"
    monkeypatch.setattr(handed_variable, "our_processes", lambda *_: fresh)
    fresh.up(["base"])
    handed_variable.hand_variable(fresh.stack, "base", order, "http://far:1")
    fresh.stop("base")  # as a run that was cut off leaves it
    handed_variable.hand_variable(fresh.stack, "base", payment, "")
    pid = fresh.row("base").pid
    assert pid is not None
    environment = procfs.read_environment(pid)
    assert (environment.get(order), environment.get(payment)) == ("http://far:1", "")


def test_what_is_ill_says_goodbye_only_where_what_it_ends_is_elsewhere(client: SupervisorClient) -> None:
    for name in ("owing", "curt"):
        with pytest.raises(StartFailed):
            client.up([name])
        assert client.stop(name)
    assert (client.stack.state_dir / "owing-goodbye").exists()
    assert not (client.stack.state_dir / "curt-goodbye").exists()


def test_down_says_goodbye_stops_in_reverse_order_and_leaves_nothing(fresh: SupervisorClient) -> None:
    fresh.up(["top", "polite"])
    pids = [row.pid for row in fresh.ps()]
    stopped = fresh.down()
    assert [name for name in stopped if name != "polite"] == ["top", "middle", "base"]
    assert (fresh.stack.state_dir / "said-goodbye").exists()
    for pid in pids:
        assert pid is not None and procfs.read_stat(pid) is None
    assert not fresh.running() and not fresh.runtime.folder.exists()


def test_down_may_be_repeated(fresh: SupervisorClient) -> None:
    fresh.up(["base"])
    assert fresh.down() == ["base"]
    assert fresh.down() == []


def test_after_kill_9_of_the_daemon_children_die_and_down_sweeps_the_rest(fresh: SupervisorClient) -> None:
    fresh.up(["parent", "base"])
    pids = [row.pid for row in fresh.ps()]
    grandchild = int((fresh.stack.state_dir / "child.pid").read_text())
    kill_daemon(fresh)
    for pid in pids:
        assert pid is not None
        wait_until_gone(pid)
    assert fresh.died()
    assert any(f"pid {grandchild} " in process for process in fresh.left_over())
    with pytest.raises(CouldNotLook):
        fresh.ps()
    assert any(f"pid {grandchild} " in what for what in fresh.down())
    wait_until_gone(grandchild)
    assert not fresh.runtime.folder.exists()
    assert sweep.find(fresh.runtime.owns) == []


def test_after_kill_9_of_the_daemon_up_sweeps_and_goes_on(fresh: SupervisorClient) -> None:
    fresh.up(["parent"])
    grandchild = int((fresh.stack.state_dir / "child.pid").read_text())
    kill_daemon(fresh)
    fresh.up(["parent"])
    wait_until_gone(grandchild)
    assert healthy(fresh.row("parent"))


def test_a_daemon_that_does_not_answer_is_killed_by_down_as_soon_as_that_is_told(
    fresh: SupervisorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.up(["base"])
    holder = lock.living_holder(fresh.runtime)
    assert holder is not None
    monkeypatch.setattr("lakeproof.processes.client.END_SECONDS", 60.0)
    os.kill(holder.pid, signal.SIGSTOP)
    told: list[float] = []
    fresh.down(lambda event: told.append(time.monotonic()) if event.what == "killed" else None)
    assert len(told) == 1 and time.monotonic() - told[0] < 30
    assert not procfs.is_alive(holder.process) and not fresh.runtime.folder.exists()


def test_a_second_daemon_of_the_same_stack_is_refused(client: SupervisorClient) -> None:
    client.up(["base"])
    with pytest.raises(TerminalError, match=r"a supervisor runs already \(pid \d+\)"):
        client._start_daemon()
    assert healthy(client.row("base"))


def test_a_taken_port_names_its_holder_and_nothing_is_started(fresh: SupervisorClient) -> None:
    with socket.create_server(("127.0.0.1", fresh.components["top"].ports["http"] + fresh.stack.settings.port_shift)):
        with pytest.raises(PortTaken, match=f"pid {os.getpid()}") as caught:
            fresh.up(["top"])
        assert caught.value.component == "top"
    assert not fresh.running() and not fresh.runtime.folder.exists()


def test_a_port_taken_by_another_stack_names_that_stack(client: SupervisorClient, make_client: MakeClient) -> None:
    client.up(["base"])
    second = make_client("second", shift=client.stack.settings.port_shift)
    with pytest.raises(PortTaken, match=f"a Lakeproof stack shared from {client.stack.state_dir}"):
        second.up(["base"])
    assert not second.running()


def test_two_stacks_on_other_ports_run_side_by_side(client: SupervisorClient, fresh: SupervisorClient) -> None:
    client.up(["base"])
    fresh.up(["base"])
    fresh.down()
    assert healthy(client.row("base"))


def test_a_component_that_dies_at_once_fails_with_its_code_and_log(client: SupervisorClient) -> None:
    with pytest.raises(StartFailed) as caught:
        client.up(["dying"])
    assert caught.value.component == "dying"
    assert "exited with code 3" in caught.value.message
    assert "no luck today" in caught.value.message


def test_what_is_made_before_a_start_is_there_before_it(client: SupervisorClient) -> None:
    client.up(["prepared"])
    assert (client.stack.state_dir / "prepared-before").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("unprepared", "the topic was refused"),
        ("full", "No space left on device"),
        ("nowhere", "cannot start /nowhere/program"),
    ],
)
def test_a_component_that_cannot_be_started_says_why(client: SupervisorClient, name: str, told: str) -> None:
    with pytest.raises(StartFailed, match=told):
        client.up([name])
    assert client.row(name).pid is None


def test_a_provision_that_fails_shows_its_reason_and_leaves_the_component_up(client: SupervisorClient) -> None:
    with pytest.raises(StartFailed, match="the topic was refused"):
        client.up(["refused"])
    row = client.row("refused")
    assert row.health == Health.UNHEALTHY and row.pid is not None and "the topic was refused" in row.reason


def test_a_bug_in_the_readiness_question_is_shown_and_does_not_end_the_daemon(client: SupervisorClient) -> None:
    with pytest.raises(StartFailed, match="ZeroDivisionError: a bug in the question"):
        client.up(["odd"])
    assert client.running()


def test_a_first_start_may_take_longer_than_the_next(client: SupervisorClient, await_row: Await) -> None:
    """The disk is cold then."""
    client.up(["tardy"])
    client.kill("tardy")
    await_row(client, "tardy", lambda row: "not ready within 1 s" in row.reason)


def test_a_missing_artifact_is_not_tried_again(client: SupervisorClient) -> None:
    with pytest.raises(StartFailed, match="lakeproof setup"):
        client.up(["uninstalled"])
    assert client.row("uninstalled").state == State.FAILED


def test_an_external_stack_is_not_started(tmp_path: Path) -> None:
    stack = Stack(Settings(mode="external", state_dir=tmp_path))
    with pytest.raises(InvalidInput, match="mode external"):
        SupervisorClient(stack).up(["kafka"])


def test_other_settings_than_the_running_ones_are_refused(client: SupervisorClient) -> None:
    client.up(["base"])
    changed = client.stack.settings.model_copy(update={"timing": "drill"})
    other = SupervisorClient(Stack(changed), client.components)
    with pytest.raises(InvalidInput, match="LAKEPROOF_TIMING"):
        other.up(["base"])


def test_a_state_directory_that_cannot_be_written_is_a_clear_error(make_client: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    client = make_client(folder=tmp_path / "file" / "state")
    with pytest.raises(TerminalError, match="cannot write there: Not a directory"):
        client.up(["base"])


def scrape(client: SupervisorClient) -> str:
    """The supervisor's own metrics now."""
    port = 9256 + client.stack.settings.port_shift
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def watched(client: SupervisorClient, name: str) -> float:
    """Since when alerts speak of it, UNIX time; infinite: they do not."""
    return watched_in(scrape(client), name)


def watched_in(page: str, name: str) -> float:
    """The same of one scrape, for several names at one moment."""
    found = re.search(rf'lakeproof_component_watched_since_seconds{{component="{name}"}} (\S+)', page)
    assert found is not None
    return float(found[1])


def test_metrics_show_each_component(client: SupervisorClient) -> None:
    client.up(["base"])

    def look() -> str | None:
        text = scrape(client)
        return text if 'lakeproof_component_healthy{component="base"} 1.0' in text else None

    text = Deadline(60).wait_for("the metric", look, every=0.1)
    assert 'lakeproof_component_restarts_total{component="base"} ' in text
    assert 'lakeproof_component_rss_bytes{component="base"}' in text


def test_what_a_command_starts_stops_or_starts_anew_is_watched_only_while_it_was_well_since(
    client: SupervisorClient,
) -> None:
    client.up(["base"])
    assert watched(client, "both") == math.inf  # nobody wants it, and its series is there
    first = watched(client, "base")
    assert time.time() - 30 < first <= time.time()
    client.stop("base")
    assert watched(client, "base") == math.inf
    client.start("base")
    assert watched(client, "base") > first
    client.forget("base")
    assert watched(client, "base") == math.inf


def test_what_a_command_restarts_and_does_not_bring_back_in_its_time_is_watched_again(
    client: SupervisorClient,
) -> None:
    """Its alert went away for ever, and the desk took the incident for resolved."""
    client.up(["moody"])
    (client.stack.state_dir / "moody-is-ill").touch()
    client.stop("moody")
    with pytest.raises(StartFailed):
        client.start("moody")
    Deadline(10).wait_for(
        "it to be watched", lambda: True if watched(client, "moody") < math.inf else None, every=0.1
    )
    client.stop("moody")
    assert watched(client, "moody") == math.inf


def test_what_dies_hangs_or_is_stopped_as_a_fault_stays_watched(client: SupervisorClient, await_row: Await) -> None:
    client.up(["base"])
    since = watched(client, "base")
    restarts = client.row("base").restarts
    client.kill("base")
    await_row(client, "base", lambda row: row.restarts > restarts and healthy(row))
    assert watched(client, "base") == since
    client.kill("base", "STOP")
    await_row(client, "base", lambda row: row.health == Health.UNHEALTHY)
    assert watched(client, "base") == since
    client.stop("base", watched=True)
    assert watched(client, "base") == since
    assert client.row("base").state == State.STOPPED
    client.start("base")
    assert watched(client, "base") > since


def test_what_stands_on_a_component_is_not_watched_while_a_command_starts_that_anew(client: SupervisorClient) -> None:
    client.up(["both"])  # stands on left, which is slow to start
    since = watched(client, "both")
    seen: list[float] = []
    client.stop("left")
    assert watched(client, "both") == since  # left rests, and what stands on it is told of
    client.start("left", lambda event: seen.append(watched(client, "both")))
    assert math.inf in seen
    assert watched(client, "both") == since


def test_while_everything_is_stopped_nothing_is_watched(fresh: SupervisorClient) -> None:
    fresh.up(["both", "deaf"])
    seen: dict[str, float] = {}

    def look(event: Event) -> None:
        # "deaf" needs its time to be stopped, so the daemon is still there to be asked; of the others it may be gone.
        if (event.component, event.what) == ("deaf", "stopping"):
            page = scrape(fresh)
            seen.update({name: watched_in(page, name) for name in ("left", "both", "deaf")})

    fresh.down(look)
    assert seen == dict.fromkeys(("left", "both", "deaf"), math.inf)


def test_an_error_of_who_is_told_is_not_taken_for_a_silent_daemon(client: SupervisorClient) -> None:
    def nobody_reads(event: Event) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        client.up(["base"], nobody_reads)


def test_a_caller_that_goes_away_does_not_stop_the_start(client: SupervisorClient, await_row: Await) -> None:
    client.up(["base"])

    def leave(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.up(["both"], leave)
    await_row(client, "both", healthy)


def test_a_caller_that_goes_away_amid_a_restart_leaves_nothing_stopped(
    client: SupervisorClient, await_row: Await
) -> None:
    """What a command stopped nobody starts, and no alert tells of it."""
    order, seen = "SERVICE_ORDER_SERVICE_URL", list[str]()
    client.up(["polite"])
    before = client.row("polite").pid

    def leave(event: Event) -> None:
        seen.append(event.what)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.restart("polite", leave, variables={order: ""})
    assert seen == ["goodbye"]  # while it was being stopped
    pid = await_row(client, "polite", lambda row: healthy(row) and row.pid != before).pid
    assert pid is not None
    assert procfs.read_environment(pid)[order] == ""
    assert watched(client, "polite") < math.inf


def test_a_restart_that_a_taken_port_forbids_stops_nothing(client: SupervisorClient) -> None:
    client.up(["middle"])
    before = client.row("middle").pid
    client.stop("base")
    with (
        socket.create_server(
            ("127.0.0.1", client.components["base"].ports["http"] + client.stack.settings.port_shift)
        ),
        pytest.raises(PortTaken),
    ):
        client.restart("middle")
    assert before is not None and client.row("middle").pid == before


def test_a_restart_is_told_from_its_stop_to_its_start(client: SupervisorClient) -> None:
    client.up(["polite"])
    told: list[str] = []
    client.restart("polite", lambda event: told.append(event.what))
    assert [what for what in told if what != "progress"] == [
        *("goodbye", "stopping", "stopped"),
        *("starting", "ready"),
    ]


def test_a_process_that_carries_our_run_id_by_inheritance_from_us_is_not_swept(fresh: SupervisorClient) -> None:
    fresh.up(["base"])
    holder = lock.living_holder(fresh.runtime)
    assert holder is not None
    with subprocess.Popen(
        ["sleep", "60"], env={**os.environ, "LAKEPROOF_RUN_ID": "other-00000000-0000"}
    ) as bystander:
        assert fresh.down() == ["base"]
        assert bystander.poll() is None
        bystander.kill()


def test_two_ups_at_once_share_one_daemon(fresh: SupervisorClient) -> None:
    other = SupervisorClient(fresh.stack, fresh.components, fresh._daemon_argv)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(one.up, [name]) for one, name in ((fresh, "base"), (other, "middle"))]
        for started in both:
            started.result()
    assert {row.name for row in fresh.ps() if healthy(row)} == {"base", "middle"}


def test_a_daemon_that_is_just_being_started_is_not_swept_as_a_dead_ones(fresh: SupervisorClient) -> None:
    slow = ("sh", "-c", 'sleep 1; exec "$@"', "slow", *fresh._daemon_argv)
    slow_one = SupervisorClient(fresh.stack, fresh.components, slow)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(slow_one.up, ["base"])
        Deadline(10).wait_for("its start", lambda: sweep.find(fresh.runtime.owns) or None, every=0.01)
        assert fresh.up(["middle"]) != []
        first.result()
    assert {row.name for row in fresh.ps() if healthy(row)} == {"base", "middle"}


def test_up_during_a_down_waits_for_its_end(fresh: SupervisorClient) -> None:
    fresh.up(["deaf"])
    with ThreadPoolExecutor(1) as threads:
        down = threads.submit(fresh.down)
        Deadline(60).wait_for(
            "the stopping", lambda: True if fresh.row("deaf").state == State.STOPPING else None, every=0.01
        )
        SupervisorClient(fresh.stack, fresh.components, fresh._daemon_argv).up(["base"])
        down.result()
    assert fresh.running() and [row.name for row in fresh.ps()] == ["base"]


def test_a_daemon_that_is_told_to_end_stops_everything_cleanly(fresh: SupervisorClient) -> None:
    fresh.up(["polite"])
    holder = lock.living_holder(fresh.runtime)
    assert holder is not None
    os.kill(holder.pid, signal.SIGTERM)
    Deadline(60).wait_for("its end", lambda: None if procfs.is_alive(holder.process) else True, every=0.02)
    assert (fresh.stack.state_dir / "said-goodbye").exists()
    assert not fresh.died() and fresh.left_over() == []


def test_a_caller_that_never_asks_does_not_hold_up_the_end(
    fresh: SupervisorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.up(["base"])
    monkeypatch.setattr("lakeproof.processes.client.END_SECONDS", 60.0)  # a daemon that hung would be seen as such
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(str(fresh.runtime.socket))
        assert fresh.down() == ["base"]
    assert not fresh.running()


def test_half_an_answer_is_none(fresh: SupervisorClient) -> None:
    def answer() -> None:
        connection, _ = dying.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b'{"done": [{"na')

    fresh.runtime.make()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dying, ThreadPoolExecutor() as threads:
        dying.bind(str(fresh.runtime.socket))
        dying.listen()
        threads.submit(answer)
        with pytest.raises(CouldNotLook, match="ended in the middle of its answer"):
            fresh.ps()


def processes(client: SupervisorClient) -> dict[str, Health]:
    return {row.name: row.health for row in client.ps() if row.name.startswith("many")}


def test_scaling_runs_further_processes_that_every_other_command_knows_by_name(
    client: SupervisorClient, await_row: Await
) -> None:
    assert client.scale("many", 3) == (["many", "many-2", "many-3"], [])
    assert processes(client) == {"many": Health.HEALTHY, "many-2": Health.HEALTHY, "many-3": Health.HEALTHY}
    before = client.row("many-2")
    assert client.kill("many-2") > 0
    await_row(client, "many-2", lambda row: healthy(row) and row.pid != before.pid)
    assert client.scale("many", 1) == ([], ["many-2", "many-3"])
    assert processes(client) == {"many": Health.HEALTHY}
    assert client.scale("many", 2) == (["many-2"], [])
    assert client.row("many-2").restarts == 0


def test_a_process_that_is_wanted_again_while_it_is_ended_as_surplus_stays_known(client: SupervisorClient) -> None:
    client.scale("many", 3)
    with ThreadPoolExecutor(1) as pool:
        fewer = pool.submit(client.scale, "many", 2)
        Deadline(60).wait_for(
            "its end to begin", lambda: True if client.row("many-3").state == State.STOPPING else None, every=0.01
        )
        SupervisorClient(client.stack, client.components, client._daemon_argv).scale("many", 3)
        assert fewer.result() == ([], ["many-3"])
    assert processes(client) == {"many": Health.HEALTHY, "many-2": Health.HEALTHY, "many-3": Health.HEALTHY}
    assert client.row("many-3").restarts == 0


def test_prometheus_is_told_of_further_processes_while_they_are_wanted(client: SupervisorClient) -> None:
    shift = client.stack.settings.port_shift

    def targets() -> list[dict[str, object]]:
        page = urllib.request.urlopen(f"http://127.0.0.1:{ports.METRICS_PORT + shift}/replicas", timeout=5).read()
        told: list[dict[str, object]] = json.loads(page)
        return told

    wanted = [{"targets": [f"127.0.0.1:{1192 + shift}"], "labels": {"job": "many"}}]
    client.scale("many", 2)
    Deadline(20).wait_for("the target", lambda: True if targets() == wanted else None, every=0.1)
    client.scale("many", 1)
    Deadline(20).wait_for("no target", lambda: True if targets() == [] else None, every=0.1)


def test_scaling_starts_a_stack_that_does_not_run_and_down_ends_all_of_it(fresh: SupervisorClient) -> None:
    assert fresh.scale("many", 2) == (["many", "many-2"], [])
    assert {"many", "many-2"} <= set(fresh.down())
    assert fresh.left_over() == []


def test_a_member_that_outlives_a_down_comes_back_with_what_it_belongs_to(fresh: SupervisorClient) -> None:
    assert fresh.up(["base"]) == ["base"]
    mark = fresh.stack.state_dir / "joined"
    mark.touch()
    fresh.down()
    assert set(fresh.up(["base"])) == {"base", "member"}
    assert fresh.up(["many"]) == ["many"]
    mark.unlink()
    assert fresh.forget("member")
    assert "member" not in processes(fresh)
    assert not fresh.forget("member")
    fresh.down()
    assert not fresh.forget("member")


def test_what_stays_one_is_refused_and_nothing_starts(fresh: SupervisorClient) -> None:
    with pytest.raises(InvalidInput, match="scale one of many"):
        fresh.scale("base", 2)
    assert not fresh.running()
