"""Writing class archives with small programs that end as a JVM does: the archive is written at a clean end."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.errors import MissingArtifact, NotReady
from lakeproof.processes import class_training
from lakeproof.processes.class_training import train
from lakeproof.stack.component import Command, Component
from lakeproof.stack.engines.class_archive import MAGIC, archive_flags, folder
from lakeproof.stack.stack import Stack

JVM = """
import signal, sys, time
from pathlib import Path
flags = dict(word.split("=", 1) for word in sys.argv[1:] if word.startswith("-XX:") and "=" in word)
def end(*_):
    path = flags.get("-XX:ArchiveClassesAtExit")
    if path and sys.argv[1] != "-":
        Path(path).write_bytes(bytes.fromhex(sys.argv[1]) + b"classes")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
Path("ready").touch()
time.sleep(60)
"""


class Told:
    """Progress that keeps what it heard."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def report(self, name: str, text: str) -> None:
        self.lines.append(f"{name}: {text}")

    def amount(self, name: str, done: int, total: int, unit: str) -> None:
        """Not used here."""


type Train = Callable[..., list[str]]


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """`trained(magic)` trains one component whose JVM writes an archive that begins so; gives what was told."""
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(class_training, "TRAINED", (("kafka",),))

    def run(
        magic: bytes = MAGIC,
        start_seconds: float = 20.0,
        fails: Exception | None = None,
        not_yet: type[Exception] = NotReady,
    ) -> list[str]:
        def command(stack: Stack) -> Command:
            if fails is not None:
                raise fails
            flags = archive_flags("kafka", Path(sys.executable), str(tmp_path / "*.jar"))
            return Command((sys.executable, "-c", JVM, magic.hex() or "-", *flags), cwd=stack.data_dir("kafka"))

        def ready(stack: Stack, timeout: float) -> None:
            if not (stack.data_dir("kafka") / "ready").exists() or start_seconds == 0:
                raise not_yet("half an answer")

        component = Component("kafka", "engine", command, ready, ports={}, start_seconds=start_seconds)
        monkeypatch.setattr(class_training, "all_components", lambda: {"kafka": component})
        told = Told()
        train(told)
        return told.lines

    return run


def archives() -> list[str]:
    return sorted(path.suffix for path in folder().iterdir())


def test_each_jvm_is_started_once_and_never_again(trained: Train) -> None:
    assert trained()[-1] == "classes: kafka: written"
    assert archives() == [".jsa"]
    assert trained() == []


def test_a_jvm_that_is_not_ready_in_time_is_told_of_and_ended_and_nothing_fails(trained: Train) -> None:
    told = trained(start_seconds=0)
    assert any("kafka: no archive, it starts without one" in line for line in told)


def test_a_question_that_fails_in_any_way_while_a_jvm_starts_is_asked_again(trained: Train) -> None:
    assert trained(not_yet=ValueError)[-1] == "classes: kafka: written"


def test_half_an_archive_is_not_kept(trained: Train) -> None:
    assert "classes: kafka: written" not in trained(magic=b"half")
    assert archives() == [".none"]


def test_a_jvm_that_writes_none_is_not_asked_again(trained: Train) -> None:
    assert trained(magic=b"")[-1] == "classes: kafka: this JVM writes none"
    assert trained() == []


def test_what_is_not_installed_is_not_started(trained: Train) -> None:
    assert trained(fails=MissingArtifact("kafka")) == []
