"""One whole stack for all drills, in a folder and on ports of its own, and nothing left behind at the end."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack, load_stack

DRILL_SECONDS = 600

type RunDrill = Callable[..., "Done"]
type Ask = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """A command that ended. `report`: report.json of a drill, {} for other commands."""

    code: int
    out: str
    err: str
    report: dict[str, Any]


@pytest.fixture(scope="session")
def whole_stack() -> Iterator[Stack]:
    """A stack that drills may start and break: port shift 3000, a fresh state folder that mysql's user may enter.

    The shift keeps every port below the range from which the kernel takes ports for outgoing connections.
    """
    os.environ.setdefault("LAKEPROOF_NAME", "drills")
    os.environ.setdefault("LAKEPROOF_PORT_SHIFT", "3000")
    fresh = "LAKEPROOF_STATE_DIR" not in os.environ
    if fresh:
        os.environ["LAKEPROOF_STATE_DIR"] = f"/tmp/lakeproof-drills-{os.getpid()}"
    state_dir = Path(os.environ["LAKEPROOF_STATE_DIR"])
    state_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    made = load_stack()
    yield made
    SupervisorClient(made).down()
    if fresh and not os.environ.get("LAKEPROOF_KEEP_TEST_STATE"):
        shutil.rmtree(state_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def lakeproof(whole_stack: Stack) -> Ask:
    """`lakeproof(*arguments)` as a person types it; gives its end."""

    def run(*arguments: str, seconds: float = DRILL_SECONDS, folder: Path | None = None) -> Done:
        ended = subprocess.run(
            [str(Path(sys.executable).with_name("lakeproof")), *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        report = {} if folder is None else json.loads((folder / "report.json").read_text())
        return Done(ended.returncode, ended.stdout, ended.stderr, report)

    return run


@pytest.fixture
def drill(lakeproof: Ask, tmp_path: Path) -> RunDrill:
    """`drill(name, *options)` runs one and gives its end with its report."""

    def run(name: str, *options: str) -> Done:
        folder = tmp_path / "report"
        return lakeproof("drill", name, "--report", str(folder), *options, folder=folder)

    return run
