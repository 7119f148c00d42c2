"""The folder of ready labels on the store's disk: closed by the fault, opened by its end or by the repair."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.stack.engines import store_folder
from lakeproof.stack.engines.store_folder import folder_of, is_closed, open_again
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay import faults, repairs


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Its store takes what its folder takes."""
    made = Stack(Settings(state_dir=tmp_path))

    def writes(stack: Stack, timeout: float) -> str:
        return "refuses writes" if is_closed(ready(stack)) else "writable"

    for module in (faults, repairs):
        monkeypatch.setattr(module, "ready_writes", writes)
    monkeypatch.setattr(
        repairs,
        "pending_writes",
        lambda stack, _: "refuses writes" if is_closed(pending(stack)) else "writable",
    )
    ready(made).mkdir(parents=True)
    (ready(made) / "1").write_text("a label")
    yield made
    open_again(ready(made))


def ready(stack: Stack) -> Path:
    return folder_of(stack, "fulfillment-artifacts", "ready/")


def pending(stack: Stack) -> Path:
    return folder_of(stack, "fulfillment-artifacts", "pending/")


def closed(stack: Stack) -> None:
    """Where a file system cannot do it at all, nothing is to be tested."""
    try:
        faults.ClosedFolder().inject(stack)
    except TerminalError as error:
        pytest.skip(error.message)


def test_it_takes_no_label_keeps_those_that_it_has_and_takes_labels_again(stack: Stack) -> None:
    closed(stack)
    faults.ClosedFolder().inject(stack)
    assert faults.ClosedFolder().sign(stack).holds
    with pytest.raises(PermissionError):
        (ready(stack) / "2").write_text("another one")
    assert (ready(stack) / "1").read_text() == "a label"
    for _ in range(2):
        faults.ClosedFolder().remove(stack)
    (ready(stack) / "2").write_text("another one")
    assert not faults.ClosedFolder().sign(stack).holds


def test_the_repair_opens_it_and_says_whether_it_was_closed(stack: Stack) -> None:
    closed(stack)
    assert "takes labels again" in repairs.OpenLabelFolder().run(stack)
    assert "takes labels already" in repairs.OpenLabelFolder().run(stack)
    assert not is_closed(ready(stack))


def test_the_repair_opens_the_folder_of_waiting_labels_too(stack: Stack) -> None:
    closed(stack)
    pending(stack).mkdir()
    store_folder.close(pending(stack))
    assert "under pending/ and ready/ it takes labels again" in repairs.OpenLabelFolder().run(stack)
    assert not is_closed(pending(stack)) and not is_closed(ready(stack))


def test_a_store_that_refuses_all_the_same_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairs, "ready_writes", lambda *_: "full")
    with pytest.raises(TerminalError, match="still refuses"):
        repairs.OpenLabelFolder().run(stack)


def test_nothing_is_closed_where_no_label_was_ever_ready_or_the_store_is_somebody_elses(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="is it there"):
        faults.ClosedFolder().inject(Stack(Settings(state_dir=tmp_path)))
    faults.ClosedFolder().remove(Stack(Settings(state_dir=tmp_path)))
    far = Stack(Settings(mode="external", state_dir=tmp_path, endpoints={"minio": {"http": "far:9000"}}))
    with pytest.raises(InvalidInput, match="somebody else"):
        faults.ClosedFolder().inject(far)
