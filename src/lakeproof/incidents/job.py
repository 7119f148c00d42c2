"""Runs the commands of one job (jobs.py): `python -m lakeproof.incidents.job FOLDER`."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.written import write_file

# Not the script `lakeproof`: where packages are installed for one user only, it does not lie beside Python.
PROGRAM = (sys.executable, "-m", "lakeproof.cli.app")


def run(folder: Path) -> int:
    """Run the commands until one fails, and write the last one's exit code. SIGTERM is passed on to them."""
    commands = _commands(folder)
    code = 0
    for number, arguments in enumerate(commands):
        with (folder / f"{number}.json").open("wb") as printed:
            process = subprocess.Popen((*PROGRAM, *arguments), stdout=printed)

            def hand_on(number: int, frame: object, process: subprocess.Popen[bytes] = process) -> None:
                process.send_signal(number)

            signal.signal(signal.SIGTERM, hand_on)
            code = process.wait()
        if code:
            break
    write_file(folder / "end.json", json.dumps({"code": code}))
    return code


def _commands(folder: Path) -> list[list[str]]:
    """The commands in job.json, which the desk writes right after it has started this process."""
    path = folder / "job.json"
    Deadline(30).wait_for("the job's commands", lambda: path.exists() or None, every=0.05)
    commands: list[list[str]] = json.loads(path.read_text(encoding="utf-8"))["commands"]
    return commands


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
