"""One submission of a job at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.lake.job import turn
from lakeproof.lake.job.turn import SubmissionHeld, submitting
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

HOLD = """
import sys, time
from pathlib import Path
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
