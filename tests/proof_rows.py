"""The rows of docs/proof/record.jsonl: one line for each test or benchmark that has ended, red or green.

The file is committed, so that the table made of it (tests/proof_table.py) says the same in every clone. All of
docs/proof is left out where a row names its commit: to add a row, or to commit one, does not change the code that the
row is about.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from lakeproof.machine import look_at_machine

FOLDER = Path("docs") / "proof"
FILE = FOLDER / "record.jsonl"
# For git: everything but the record and its table.
THE_CODE = ("--", ".", f":(exclude){FOLDER}")
CHANGED = "+changed"


class BrokenRecord(Exception):
    """A line of the record that is no row: the message names the file and the line."""


class Code(NamedTuple):
    """What was run: the newest commit that changed the code, and whether the clone's files are those of it."""

    commit: str
    clean: bool

    def __str__(self) -> str:
        return self.commit + ("" if self.clean else CHANGED)


class RecordedMachine(BaseModel):
    """The machine of a row. Its name is left out: it tells a stranger nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cpu: str
    cores: int
    memory_gib: float

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, {self.memory_gib:g} GiB"


class Row(BaseModel):
    """`what`: a test's node id, or a benchmark's command. `figures`: a benchmark's ratios, in words.

    outcome: passed, failed, skipped, or (of a benchmark that also judges) unknown. at: UTC, when it ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    what: str
    outcome: str
    seconds: float | None
    commit: str
    clean: bool
    machine: RecordedMachine
    at: str
    figures: tuple[str, ...] = ()

    @property
    def code(self) -> Code:
        """What was run."""
        return Code(self.commit, self.clean)


def git(root: Path, *words: str) -> str:
    """What git prints there. Raises: CalledProcessError where git refuses."""
    return subprocess.run(("git", *words), cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def code_of(root: Path) -> Code:
    """What is checked out there; not clean where a file that git does not ignore differs or is new."""
    # It runs beside a person's own git: that must not find the index locked.
    changed = git(root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=normal", *THE_CODE)
    return Code(git(root, "log", "-1", "--format=%h", "--abbrev=12", *THE_CODE), not changed)


@cache
def this_machine() -> RecordedMachine:
    """The machine that this process runs on."""
    machine = look_at_machine()
    return RecordedMachine(cpu=machine.cpu, cores=machine.cores, memory_gib=machine.memory_gib)


def rows_of(lines: Sequence[str], name: str) -> Iterator[Row]:
    """The row of each line. Raises: BrokenRecord."""
    for number, line in enumerate(lines, start=1):
        try:
            yield Row.model_validate_json(line)
        except ValidationError as error:
            raise BrokenRecord(f"{name}, line {number} is no row of the record: {error}") from None


class RecordFile:
    """The record of one clone."""

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, root / FILE

    def _lines(self) -> list[str]:
        """Its whole lines: what stands behind the last line's end was cut off while it was written."""
        return self.path.read_text().split("\n")[:-1] if self.path.exists() else []

    def rows(self) -> list[Row]:
        """All rows, in the order of the file. Raises: BrokenRecord."""
        return list(rows_of(self._lines(), str(FILE)))

    def rows_of_this_clone(self) -> list[Row]:
        """The rows that are not committed yet: those of a run that may have been cut off here."""
        try:
            committed = set(git(self.root, "show", f"HEAD:{FILE.as_posix()}").split("\n"))
        except subprocess.CalledProcessError:
            committed = set()
        return list(rows_of([line for line in self._lines() if line not in committed], str(FILE)))

    def append(self, row: Row) -> None:
        """Add one whole line, on the disk when this returns; a line that was cut off before it is taken away."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            written = file.read()
            file.truncate(written.rfind(b"\n") + 1)
            file.write(row.model_dump_json(exclude_defaults=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
