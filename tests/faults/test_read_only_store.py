"""The store that came back read-only: its mark outlives the process, and the repair takes the mark away first."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.faults import stores
from lakeproof.install import artifacts
from lakeproof.mitigations import stores as stores_mitigations
from lakeproof.probes.object_store import FULL, READ_ONLY, WRITABLE
from lakeproof.stack.engines import minio
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Supervisor:
    """Restarts the store at once. `done`: what it was asked; `writes`: what the store says since its last start."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.done: list[str] = []
        self.writes = WRITABLE
        self.pid: int | None = 7

    def row(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(pid=self.pid)

    def _begin(self) -> None:
        self.pid = 7
        self.writes = READ_ONLY if "--readonly" in minio.command(self.stack).argv else WRITABLE

    def running(self) -> bool:
        return True

    def kill(self, name: str, *, counted: bool = True) -> int:
        self.done.append(f"kill {name}" if counted else f"kill {name} uncounted")
        self._begin()
        return 1

    def stop(self, name: str) -> bool:
        self.done.append(f"stop {name}")
        self.pid = None
        return True

    def start(self, name: str) -> list[str]:
        self.done.append(f"start {name}")
        self._begin()
        return [name]

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(artifacts, "path", lambda name: tmp_path / name)
    made = Stack(Settings(state_dir=tmp_path))
    minio.prepare(made)
    return made


@pytest.fixture
def supervisor(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    made = Supervisor(stack)
    for module in (stores, stores_mitigations):
        monkeypatch.setattr(module, "our_processes", lambda stack, what: made)
    monkeypatch.setattr(stores, "writes_in_words", lambda stack, timeout: made.writes)
    monkeypatch.setattr(stores_mitigations, "writes", lambda stack, timeout: made.writes)
    monkeypatch.setattr(stores, "SupervisorClient", lambda stack: made)
    return made


def test_it_refuses_writes_after_every_restart_until_it_is_taken_back(stack: Stack, supervisor: Supervisor) -> None:
    for _ in range(2):
        stores.ReadOnlyStore().inject(stack)
    assert supervisor.done == ["kill minio"]
    assert stores.ReadOnlyStore().sign(stack).holds
    supervisor.start("minio")
    assert stores.ReadOnlyStore().sign(stack).holds
    for _ in range(2):
        stores.ReadOnlyStore().remove(stack)
    assert supervisor.done == ["kill minio", "start minio", "kill minio uncounted"]
    assert not stores.ReadOnlyStore().sign(stack).holds


def test_the_repair_makes_it_writable_and_is_safe_to_repeat(stack: Stack, supervisor: Supervisor) -> None:
    stores.ReadOnlyStore().inject(stack)
    assert "is gone" in stores_mitigations.MakeStoreWritable().run(stack)
    assert supervisor.done == ["kill minio", "stop minio", "start minio"]
    assert "already" in stores_mitigations.MakeStoreWritable().run(stack)


def test_a_store_that_somebody_stopped_meanwhile_is_started_as_the_fault_is_taken_back(
    stack: Stack, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "writes_in_words", lambda *_: supervisor.writes if supervisor.pid else "no answer")
    monkeypatch.setattr(stores, "BACK_SECONDS", 0.1)
    stores.ReadOnlyStore().inject(stack)
    supervisor.stop("minio")
    stores.ReadOnlyStore().remove(stack)
    assert supervisor.done == ["kill minio", "stop minio", "start minio"]
    assert not stores.ReadOnlyStore().sign(stack).holds


def test_a_repair_that_was_cut_off_before_the_start_is_finished_by_the_next(
    stack: Stack, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def writes(stack: Stack, timeout: float) -> str:
        if supervisor.pid is None:
            raise CouldNotLook("nobody answers")
        return supervisor.writes

    monkeypatch.setattr(stores_mitigations, "writes", writes)
    supervisor.stop("minio")
    assert "takes writes again" in stores_mitigations.MakeStoreWritable().run(stack)
    assert supervisor.done[-1] == "start minio"


def test_a_store_that_does_not_answer_right_after_its_restart_is_asked_again(
    stack: Stack, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = ["start minio"]

    def writes(stack: Stack, timeout: float) -> str:
        if supervisor.done[-1:] == silent:
            silent.clear()
            raise CouldNotLook("no answer", where="minio")
        return supervisor.writes

    monkeypatch.setattr(stores_mitigations, "writes", writes)
    stores.ReadOnlyStore().inject(stack)
    assert "takes writes again" in stores_mitigations.MakeStoreWritable().run(stack)
    assert silent == []


@pytest.mark.parametrize(
    ("seen", "words", "asked"),
    [
        (FULL, "lakeproof mitigate INCIDENT --action offload_bucket --arg folder=/.*free space", []),
        (READ_ONLY, "how it is mounted", ["stop minio", "start minio"]),
    ],
)
def test_what_no_restart_mends_is_left_to_a_person(
    stack: Stack,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    seen: str,
    words: str,
    asked: list[str],
) -> None:
    monkeypatch.setattr(stores_mitigations, "WRITABLE_SECONDS", 0.1)
    monkeypatch.setattr(stores_mitigations, "writes", lambda stack, timeout: seen)
    with pytest.raises(TerminalError, match=words):
        stores_mitigations.MakeStoreWritable().run(stack)
    assert supervisor.done == asked


def test_a_store_that_is_to_die_amid_a_commit_is_tried_again_until_the_job_fails(
    stack: Stack, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failures(stack: Stack, timeout: float, source: object) -> int:
        return 2 if supervisor.done.count("checkpoint") > 1 else 0

    monkeypatch.setattr(stores, "_await_checkpoint", lambda stack: supervisor.done.append("checkpoint"))
    monkeypatch.setattr(stores, "job_failures", failures)
    monkeypatch.setattr(stores, "FAILS_SECONDS", 0.1)
    stores.ReadOnlyStore(amid_commit=True).inject(stack)
    assert supervisor.done == ["checkpoint", "kill minio", "kill minio uncounted", "checkpoint", "kill minio"]
    assert stores.ReadOnlyStore(amid_commit=True).sign(stack).holds
