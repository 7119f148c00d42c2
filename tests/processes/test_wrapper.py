"""The last step before a component's program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakeproof.processes.process import WRAPPER


def run(user: str, cwd: str, *argv: str) -> subprocess.CompletedProcess[str]:
    wrapper = [sys.executable, "-I", "-S", str(WRAPPER), str(os.getpid()), user, cwd]
    return subprocess.run([*wrapper, *argv], capture_output=True, text=True, check=False)


def test_it_starts_the_program_in_its_folder(tmp_path: Path) -> None:
    assert run("", str(tmp_path), "pwd").stdout == f"{tmp_path}\n"


def test_an_unknown_user_is_named() -> None:
    ended = run("nobody-of-that-name", "", "true")
    assert ended.returncode == 127 and "no such user: nobody-of-that-name" in ended.stderr


def test_a_missing_program_is_named() -> None:
    ended = run("", "/", "/nowhere/program")
    assert ended.returncode == 127 and "cannot start /nowhere/program" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its user")
def test_the_death_signal_is_set_after_the_change_of_user() -> None:
    source = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"
    ended = run("nobody", "/", "/usr/bin/env", "python3", "-I", "-S", "-c", source)
    if ended.returncode == 126:
        pytest.skip("no Python that everybody may run")
    assert ended.stdout == "9\n", ended.stderr
