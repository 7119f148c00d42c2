"""Spark's command and settings: on loopback, and no key anywhere but in its environment."""

from pathlib import Path

import pytest

from lakeproof.install import artifacts, java
from lakeproof.stack.engines import spark
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

KEYS = ("s3-access-key", "s3-secret-key", spark.TOKEN)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack of its own; where Spark is installed does not matter here."""
    monkeypatch.setattr(artifacts, "path", lambda name: tmp_path / name)
    monkeypatch.setattr(java, "find_java_17", lambda: tmp_path / "java")
    return Stack(Settings(state_dir=tmp_path / "state", port_shift=100))


def test_no_key_is_in_its_arguments_or_its_files(stack: Stack) -> None:
    spark.prepare(stack)
    command = spark.command(stack)
    texts = [" ".join(command.argv), *(path.read_text() for path in stack.etc_dir("spark").iterdir())]
    for key in (stack.secret(name) for name in KEYS):
        assert key in command.env.values()
        assert [text for text in texts if key in text] == []


def test_it_listens_on_the_stack_s_own_ports_of_loopback(stack: Stack) -> None:
    settings = spark.settings(stack)
    assert "127.0.0.1:8185" in spark.command(stack).argv
    assert (settings["spark.driver.bindAddress"], settings["spark.driver.port"]) == ("127.0.0.1", "8186")
    assert (settings["spark.blockManager.port"], settings["spark.port.maxRetries"]) == ("8187", "0")
    assert (settings["spark.ui.enabled"], settings["spark.authenticate"]) == ("false", "true")


def test_what_a_killed_one_left_is_removed_before_the_next_start(stack: Stack) -> None:
    spark.prepare(stack)
    left = stack.data_dir("spark") / "scratch" / "blockmgr-1" / "block"
    left.parent.mkdir()
    left.write_bytes(b"x")
    spark.prepare(stack)
    assert [path.name for path in stack.data_dir("spark").rglob("*")] == ["tmp", "scratch"]
