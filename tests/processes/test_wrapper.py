"""The last step before a component's program."""

import os
import subprocess
import sys
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.processes import procfs
from lakeproof.processes.process import WRAPPER


def run(user: str, cwd: str, *argv: str) -> subprocess.CompletedProcess[str]:
    wrapper = [sys.executable, "-I", "-S", str(WRAPPER), str(os.getpid()), user, cwd]
    return subprocess.run([*wrapper, *argv], capture_output=True, text=True, check=False)


def comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:
        return "nothing, it has ended"


def test_it_starts_the_program_in_its_folder(tmp_path: Path) -> None:
    assert run("", str(tmp_path), "pwd").stdout == f"{tmp_path}\n"


def test_an_unknown_user_is_named() -> None:
    ended = run("nobody-of-that-name", "", "true")
    assert ended.returncode == 127 and "no such user: nobody-of-that-name" in ended.stderr


def test_a_missing_program_is_named() -> None:
    ended = run("", "/", "/nowhere/program")
    assert ended.returncode == 127 and "cannot start /nowhere/program" in ended.stderr


def test_the_death_signal_holds_after_the_change_of_user() -> None:
    user = "nobody" if os.geteuid() == 0 else ""  # who is not root has nobody to change to
    start = 'wrapper=$1; shift; "$0" -I -S "$wrapper" $$ "$@" & echo $!; read -r _'
    argv = ["sh", "-c", start, sys.executable, str(WRAPPER), user, "/", "sleep", "60"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdin is not None
        pid = int(parent.stdout.readline())
        child = procfs.identify(pid)
        assert child is not None
        Deadline(60).wait_for("the program", lambda: True if comm(pid) == "sleep" else None, every=0.02)
        parent.kill()
    Deadline(60).wait_for("its end", lambda: None if procfs.is_alive(child) else True, every=0.02)
