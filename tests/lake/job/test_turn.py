"""One submission of a job at a time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakeproof.deadline import Deadline
from lakeproof.lake.job import submission, turn
from lakeproof.lake.job.added_columns import AddedColumn, Stage, note
from lakeproof.lake.job.passing_over import all_is_written, begin_passing_over
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.job.turn import SubmissionHeld, submitting
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

HOLD = """
import sys, time
from pathlib import Path
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.job.turn import submitting
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
with submitting(Stack(Settings(name="t", state_dir=Path(sys.argv[1])))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_who_waits_in_vain_is_told_who_holds_the_turn_and_gets_it_when_that_one_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "TURN_SECONDS", 0.3)
    stack = Stack(Settings(name="t", state_dir=tmp_path))
    environment = os.environ | {"SUPERVISED_COMPONENT": "flink-jobmanager"}
    with subprocess.Popen(
        (sys.executable, "-c", HOLD, str(tmp_path)), stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline() == "held\n"
            waited = Deadline(60)
            with pytest.raises(SubmissionHeld) as told, submitting(stack):
                pass
            assert waited.elapsed < 10
            assert f"process {holder.pid} (provision of flink-jobmanager, since " in told.value.message
            assert "kill that process" in told.value.message
        finally:
            holder.send_signal(signal.SIGKILL)
    with submitting(stack):
        pass
    with submitting(stack):
        pass


def test_what_a_submission_takes_is_decided_while_it_has_the_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who had the turn before may have written what a job that passes over would miss."""
    stack, specs = Stack(Settings(state_dir=tmp_path)), list[dict[str, Any]]()
    begin_passing_over(stack, OLTP)

    @contextmanager
    def turn(stack: Stack) -> Iterator[None]:
        all_is_written(stack, OLTP)
        yield

    def submit(*_: object, spec: dict[str, Any], **__: object) -> str:
        specs.append(spec)
        return "a"

    monkeypatch.setattr(submission, "submitting", turn)
    monkeypatch.setattr(submission, "find_job", lambda *_: None)
    monkeypatch.setattr(submission, "_submit", submit)
    submission.redeploy(stack, OLTP)
    assert [spec["pass_over"] for spec in specs] == [False]


def test_what_a_submission_rewrites_is_read_while_it_has_the_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who had the turn before may have declared a column, which a job without it would leave NULL."""
    stack, read = Stack(Settings(state_dir=tmp_path)), list[str]()
    column = AddedColumn("oltp.orders", "note", "STRING", Stage.DECLARED)

    @contextmanager
    def turn(stack: Stack) -> Iterator[None]:
        note(stack, OLTP, column)
        yield

    def rewrite(files: tuple[SqlFile, ...]) -> tuple[SqlFile, ...]:
        read.extend(name for file in files if file.source == column.table for name in file.columns)
        return files

    monkeypatch.setattr(submission, "submitting", turn)
    monkeypatch.setattr(submission, "find_job", lambda *_: None)
    monkeypatch.setattr(submission, "_submit", lambda *_, **__: "a")
    submission.redeploy(stack, OLTP, rewrite=rewrite)
    assert "note" in read
