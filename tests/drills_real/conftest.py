"""One whole stack for all drills, in a folder and on ports of its own, and nothing left behind at the end."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lakeproof.stack.stack import Stack

DRILL_SECONDS = 600

type RealStack = Callable[[str], AbstractContextManager[Stack]]
type RunDrill = Callable[..., "Done"]
type Ask = Callable[..., "Done"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The make targets want the whole shop: after the drills, each of which starts only what it needs."""
    items.sort(key=lambda item: item.path.stem == "test_make_targets")


@dataclass(frozen=True)
class Done:
    """A command that ended. `report`: report.json of a drill, {} for other commands."""

    code: int
    out: str
    err: str
    report: dict[str, Any]


@pytest.fixture(scope="session")
def whole_stack(real_stack: RealStack) -> Iterator[Stack]:
    """A stack that drills may start and break."""
    with real_stack("drills") as made:
        yield made


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
