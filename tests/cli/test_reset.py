"""`lakeproof reset` as it is typed: it asks, says what goes, and never cuts off a drill."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.cli.conftest import Typed
from typer.testing import CliRunner

from lakeproof.cli.commands import build
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.faults.records import FaultRecord
from lakeproof.held_file import hold
from lakeproof.stack.engines import store_folder
from lakeproof.stack.object_store import LABEL_BUCKET
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay import faults
from lakeproof_shop.services.fulfillment.label import READY


@pytest.fixture
def used(own_stack: Path) -> Path:
    (own_stack / "data" / "redis").mkdir(parents=True)
    (own_stack / "start.lock").touch()
    return own_stack


def test_without_a_terminal_nothing_is_deleted_but_by_yes(typed: Typed, used: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nobody is there to ask.*lakeproof reset --yes"):
        typed("reset")
    assert (used / "data" / "redis").is_dir()
    told = json.loads(typed("reset", "--yes", "--json"))
    assert told["stack"] == "default" and told["kept"] == []
    assert {Path(each["path"]).name for each in told["deleted"]} == {"data", "drill.lock", "start.lock"}
    assert told["bytes"] == sum(each["bytes"] for each in told["deleted"]) > 0
    assert not used.exists()


def test_a_standard_stream_that_is_closed_is_nobody_there(used: Path) -> None:
    typed = f"{sys.executable} -c 'from lakeproof.cli.app import main; main()'"
    done = subprocess.run(("sh", "-c", f"{typed} reset <&-"), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "error: reset: nobody is there to ask" in done.stderr, done.stderr
    done = subprocess.run(("sh", "-c", f"{typed} doctor >&-"), capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr


def test_an_empty_stack_is_fine(typed: Typed, own_stack: Path) -> None:
    assert json.loads(typed("reset", "--json"))["deleted"] == []
    assert not own_stack.exists()


def test_what_stays_is_named_and_the_next_stack_is_not_called_empty_of_it(
    used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEPROOF_SUPPORT__SUPPORT_ATTACHMENT_DIR", str(tmp_path / "state-files"))
    stays = f"  stays: support.support_attachment_dir = {tmp_path / 'state-files'}"
    first, second = (CliRunner().invoke(build(), ["reset", "--yes"], catch_exceptions=False) for _ in range(2))
    assert stays in first.stderr.splitlines()
    assert first.stderr.endswith("deleted; lakeproof up starts an empty stack, but for what stays\n")
    assert second.stderr.splitlines() == ["stack default is empty already", stays]


def test_a_drill_that_runs_is_not_cut_off(typed: Typed, used: Path) -> None:
    with hold(used / "drill.lock", str(os.getpid())), pytest.raises(InvalidInput, match="a drill is running already"):
        typed("reset", "--yes")
    assert (used / "data" / "redis").is_dir()


def put_on_record(used: Path, fault: str) -> None:
    record = FaultRecord(fault, {}, "2026-11-26T00:00:00+00:00", "hand")
    (used / "faults").mkdir(exist_ok=True)
    (used / "faults" / f"{fault}-0.json").write_text(json.dumps(asdict(record)))


@pytest.fixture
def closed(used: Path) -> Iterator[Path]:
    """The folder that `closed_folder` closes, closed and on record."""
    folder = store_folder.folder_of(Stack(Settings(state_dir=used)), LABEL_BUCKET, READY)
    folder.mkdir(parents=True)
    (folder / "1").write_text("a label")
    try:
        store_folder.close(folder)
    except TerminalError as error:
        pytest.skip(error.message)
    put_on_record(used, "closed_folder")
    yield folder
    store_folder.open_again(folder)


def test_a_fault_that_would_keep_a_folder_from_being_deleted_is_taken_out_first(
    typed: Typed, used: Path, closed: Path
) -> None:
    put_on_record(used, "refused_mail")  # asks the mail sink, which is down
    put_on_record(used, "of_a_folder_that_is_gone")
    typed("reset", "--yes")
    assert not used.exists()


def test_where_it_cannot_be_taken_out_nothing_is_deleted_and_it_stays_on_record(
    typed: Typed, used: Path, closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise TerminalError("its flags cannot be changed", where=str(folder))

    monkeypatch.setattr(faults, "open_again", refuse)
    with pytest.raises(TerminalError, match="flags cannot be changed"):
        typed("reset", "--yes")
    assert (closed / "1").exists() and (used / "faults" / "closed_folder-0.json").exists()
