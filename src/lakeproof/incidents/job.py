"""Runs the commands of one job (jobs.py): `python -m lakeproof.incidents.job FOLDER`."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.written import write_file

# Not the script `lakeproof`: where Python's packages are a user's own, it does not lie beside Python.
PROGRAM = (sys.executable, "-m", "lakeproof.cli.app")


def run(folder: Path) -> int:
    """Run the commands until one fails, and write how the last one ended. A polite end is handed on to it."""
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
    """As the desk writes them, right after this process was started."""
    path = folder / "job.json"
    Deadline(30).wait_for("the job's commands", lambda: path.exists() or None, every=0.05)
    commands: list[list[str]] = json.loads(path.read_text(encoding="utf-8"))["commands"]
    return commands


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
