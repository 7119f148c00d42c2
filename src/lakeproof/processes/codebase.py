"""Which Lakeproof runs: the clones and installations of one user share a stack's name, and so its supervisor."""

from dataclasses import dataclass
from pathlib import Path

import lakeproof


@dataclass(frozen=True)
class Codebase:
    """The code that a process runs. root: the folder of the package `lakeproof`; version: the one installed there."""

    root: str
    version: str

    def __str__(self) -> str:
        return f"{self.root} (version {self.version})"


def codebase() -> Codebase:
    """The code of this process. The version is that of the process's start, whatever was installed over it since."""
    return Codebase(str(Path(lakeproof.__file__).resolve().parent), lakeproof.__version__)
