import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakeproof.processes import preparation
from lakeproof.processes.preparation import Preparation, PrepareFailed
from lakeproof.stack.component import Command, Component
from lakeproof.stack.engines import first_start
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_a_prepare_that_hangs_is_never_run_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both would make the same files."""
    monkeypatch.setattr(preparation, "PREPARE_SECONDS", 0.2)
    end, begun = threading.Event(), []

    def hang(stack: Stack) -> None:
        begun.append(stack)
        end.wait(30)

    component = Component("a", "engine", lambda stack: Command(("true",)), lambda stack, timeout: None, prepare=hang)

    async def thrice() -> Command:
        with ThreadPoolExecutor(4) as threads:
            one = Preparation(component, Stack(Settings(state_dir=tmp_path)), threads)
            with pytest.raises(PrepareFailed, match="did not end"):
                await one.run()
            with pytest.raises(PrepareFailed, match="an earlier prepare still runs"):
                await one.run()
            assert len(begun) == 1
            end.set()
            monkeypatch.setattr(preparation, "PREPARE_SECONDS", 30.0)
            return await one.run()

    assert asyncio.run(thrice()).argv == ("true",)
    assert len(begun) == 2


def test_two_programs_that_make_files_fit_into_one_prepare() -> None:
    assert 2 * first_start.SECONDS < preparation.PREPARE_SECONDS


def test_a_program_that_makes_files_can_be_found_by_the_run_that_began_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has nothing else of ours."""
    monkeypatch.setenv("LAKEPROOF_RUN_ID", "run-1")
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", str(tmp_path))
    first_start.run(["sh", "-c", f"env | grep LAKEPROOF > {tmp_path}/seen"])
    assert (tmp_path / "seen").read_text() == "LAKEPROOF_RUN_ID=run-1\n"
