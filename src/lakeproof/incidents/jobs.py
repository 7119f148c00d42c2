"""Commands that a page starts: `lakeproof …` as a process of its own, as a person would type it.

A job outlives the desk that started it: a drill goes on while the desk is restarted, and the next desk finds the job
by its folder. The folder holds job.json (what runs, and who started it), out.log (messages for people), N.json (what
command N printed), end.json (how the job ended), and `spent` once the repair that the job proposed was run. One job
of a kind runs at a time.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeproof.errors import InvalidInput
from lakeproof.processes import logfile, procfs
from lakeproof.processes.environment import COMPONENT, settings_environment
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

KEPT = 50
JOB, LOG, END, SPENT = "job.json", "out.log", "end.json", "spent"


@dataclass(frozen=True)
class Job:
    """One job as it is now.

    code: the exit code of its last command; None while the job runs, or where it is lost.
    lost: True where its process ended without writing end.json.
    """

    id: str
    kind: str
    about: str
    who: str
    started_at: datetime
    folder: Path
    code: int | None
    lost: bool

    @property
    def running(self) -> bool:
        """True while it runs."""
        return self.code is None and not self.lost

    def lines(self, most: int = 40) -> list[str]:
        """The newest lines of the job's messages for people."""
        return logfile.tail(self.folder / LOG, most)

    def printed(self) -> Any:
        """The JSON that its first command printed; None where it printed none."""
        try:
            return json.loads((self.folder / "0.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    @property
    def is_spent(self) -> bool:
        """True where the repair that this job proposed was run."""
        return (self.folder / SPENT).exists()

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Mark the proposal as run, around the block that starts the repair. A block that fails removes the mark.

        Raises: InvalidInput where somebody ran the proposal already.
        """
        try:
            (self.folder / SPENT).touch(exist_ok=False)
        except FileExistsError as error:
            raise InvalidInput("it was run already", where=self.id, next_action="propose again") from error
        try:
            yield
        except BaseException:
            (self.folder / SPENT).unlink(missing_ok=True)
            raise


class Jobs:
    """The jobs of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._folder = stack.state_dir / "jobs"
        self._lock = threading.Lock()

    def start(self, kind: str, about: str, commands: Sequence[Sequence[str]], *, who: str) -> Job:
        """Start a job that runs `lakeproof` with each of `commands` as arguments, one after another, until one fails.

        Raises: InvalidInput where a job of that kind runs.
        """
        with self._lock:
            running = self.newest(kind)
            if running is not None and running.running:
                raise InvalidInput(
                    f"{running.about} is running already, started by {running.who}",
                    where=kind,
                    next_action="wait for its end",
                )
            now = datetime.now(UTC)
            folder = self._folder / f"{kind}-{now:%Y%m%d-%H%M%S-%f}"
            folder.mkdir(mode=0o700, parents=True)  # what a job prints may hold values from the data
            facts = {"kind": kind, "about": about, "who": who, "at": now.isoformat(), "commands": list(commands)}
            with (folder / LOG).open("wb") as log:
                process = subprocess.Popen(
                    (sys.executable, "-m", "lakeproof.incidents.job", str(folder)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env=self._environment(who),
                )
                born = procfs.identify(process.pid)
                assert born is not None, "nobody has waited for it yet, so it is at least a zombie"
                threading.Thread(target=process.wait, daemon=True).start()  # else it stays a zombie
                write_file(folder / JOB, json.dumps(facts | {"process": asdict(born)}))
            self._forget_old()
        return self._read(folder)

    def newest(self, kind: str, about: str = "") -> Job | None:
        """The newest job of that kind, with that `about` where one is given; None where there is none."""
        return next((job for job in self.all(kind) if about in ("", job.about)), None)

    def all(self, kind: str) -> Iterator[Job]:
        """The jobs of that kind that are still kept, the newest first."""
        for folder in sorted(self._folder.glob(f"{kind}-*"), reverse=True):
            try:
                yield self._read(folder)
            except (OSError, ValueError, KeyError):
                continue

    def _read(self, folder: Path) -> Job:
        facts = json.loads((folder / JOB).read_text(encoding="utf-8"))
        # Asked before end.json is read. In the other order a job that ends between the two would look lost.
        is_alive = procfs.is_alive(procfs.ProcessId(**facts["process"]))
        try:
            code = int(json.loads((folder / END).read_text(encoding="utf-8"))["code"])
        except (OSError, ValueError, KeyError):
            code = None
        return Job(
            id=folder.name,
            kind=facts["kind"],
            about=facts["about"],
            who=facts["who"],
            started_at=datetime.fromisoformat(facts["at"]),
            folder=folder,
            code=code,
            lost=code is None and not is_alive,
        )

    def _environment(self, who: str) -> Mapping[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != COMPONENT}
        own = {name: value for name, value in inherited.items() if not name.startswith("LAKEPROOF_")}
        kept = {name: inherited[name] for name in ("LAKEPROOF_RUN_ID", "LAKEPROOF_CACHE") if name in inherited}
        return own | kept | settings_environment(self._stack) | {"LAKEPROOF_USER": who}

    def _forget_old(self) -> None:
        for folder in sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime)[:-KEPT]:
            try:
                if self._read(folder).running:
                    continue
            except (OSError, ValueError, KeyError):
                pass  # a folder without a job in it
            shutil.rmtree(folder, ignore_errors=True)
