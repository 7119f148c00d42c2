"""The record of what provision made."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakeproof.errors import TerminalError
from lakeproof.stack import provisioned
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(name="t", state_dir=tmp_path))


def test_a_thing_is_made_once_per_definition(stack: Stack) -> None:
    first, second = provisioned.digest("a", "b"), provisioned.digest("ab", "")
    assert first != second
    assert not provisioned.is_made(stack, "kafka", "topic x", first)
    provisioned.remember(stack, "kafka", "topic x", first)
    assert provisioned.is_made(stack, "kafka", "topic x", first)
    assert not provisioned.is_made(stack, "kafka", "topic x", second)
    assert not provisioned.is_made(stack, "connect", "topic x", first)


def test_what_was_noted_last_is_recalled(stack: Stack) -> None:
    assert provisioned.recall(stack, "connect", "unread") == ""
    provisioned.remember(stack, "connect", "unread", "a b")
    assert provisioned.recall(stack, "connect", "unread") == "a b"


def test_two_who_note_something_at_once_lose_nothing(stack: Stack) -> None:
    things = [f"topic {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda thing: provisioned.remember(stack, "kafka", thing, "1"), things))
    assert [thing for thing in things if not provisioned.is_made(stack, "kafka", thing, "1")] == []


def test_new_data_forget_what_was_made(stack: Stack) -> None:
    provisioned.remember(stack, "kafka", "topic x", "1")
    provisioned.forget(stack, "kafka")
    provisioned.forget(stack, "kafka")
    assert not provisioned.is_made(stack, "kafka", "topic x", "1")


def test_a_broken_record_is_named_not_guessed(stack: Stack) -> None:
    provisioned.remember(stack, "kafka", "topic x", "1")
    (stack.data_dir("kafka") / "provisioned.json").write_text("{")
    with pytest.raises(TerminalError, match=r"provisioned\.json"):
        provisioned.is_made(stack, "kafka", "topic x", "1")
