"""The commands that a page starts: how they are run, and what is forgotten of them."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.incidents import job, jobs
from lakeproof.incidents.jobs import Jobs
from lakeproof.processes import procfs
from lakeproof.stack.stack import Stack


def finished(started: Jobs, kind: str) -> jobs.Job:
    def ended() -> jobs.Job | None:
        found = started.newest(kind)
        return found if found is not None and not found.running else None

    return Deadline(60).wait_for("the job's end", ended, every=0.1)


def test_a_jobs_command_runs_where_no_script_lies_beside_python(tmp_path: Path, stack: Stack) -> None:
    assert job.PROGRAM[0] == sys.executable
    done = subprocess.run((*job.PROGRAM, "ps", "--nonsense"), capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr.partition(" [")[0]) == (2, "Usage: lakeproof ps")
    own = Jobs(stack)
    started = own.start("version", "a look", [["--help"]], who="somebody")
    ended = finished(own, "version")
    assert (ended.code, ended.lost) == (0, False), ended.lines()
    assert started.folder.stat().st_mode & 0o077 == 0, "what it prints is its owner's"


def test_a_job_that_runs_is_not_forgotten_however_old_its_folder_is(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "KEPT", 1)
    own = Jobs(stack)
    running = own.start("drill", "one", [["--help"]], who="somebody")
    finished(own, "drill")
    (running.folder / jobs.END).unlink()
    own_process = procfs.identify(os.getpid())
    assert own_process is not None
    facts = (running.folder / jobs.JOB).read_text(encoding="utf-8")
    process = {"process": asdict(own_process)}
    (running.folder / jobs.JOB).write_text(json.dumps(json.loads(facts) | process), encoding="utf-8")
    os.utime(running.folder, (0, 0))
    own.start("render", "two", [["--help"]], who="somebody")
    finished(own, "render")
    own.start("lake", "three", [["--help"]], who="somebody")
    finished(own, "lake")
    assert running.folder.exists()
    assert own.newest("render") is None and own.newest("lake") is not None
