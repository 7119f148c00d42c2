"""Complete artifacts in the cache: put there by one rename, with a marker that lists every file.

A folder without a marker, or whose files are not those of its marker, counts as absent and is built again.
"""

import json
import os
import shutil
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.install.lock import sha256_of
from lakeproof.written import write_file

MARKER = ".complete.json"
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class StoredFile:
    """A file of a complete artifact, as its marker has it. `path` is relative; `size` in bytes."""

    path: str
    size: int
    sha256: str


def is_complete(directory: Path) -> bool:
    """The cheap question: a marker is there. It is written last, and only into a finished folder."""
    return (directory / MARKER).is_file()


def faults_of(directory: Path, *, verify: bool = False) -> list[str]:
    """What is wrong with an artifact, as short texts; empty when it is sound.

    Compares presence and sizes; with `verify` every file's sha256 too (reads all bytes).
    """
    try:
        files = read_marker(directory)
    except FileNotFoundError:
        return ["it is not there"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"its marker cannot be read ({error})"]
    faults = []
    for file in files:
        path = directory / file.path
        try:
            size = path.stat().st_size
        except OSError:
            faults.append(f"{file.path} is missing")
            continue
        if size != file.size:
            faults.append(f"{file.path} has {size} bytes, not {file.size}")
        elif verify and sha256_of(path) != file.sha256:
            faults.append(f"{file.path} has other content than when it was stored")
    return faults


def read_marker(directory: Path) -> list[StoredFile]:
    """The files that a complete artifact must have.

    Raises: FileNotFoundError without a marker; ValueError, KeyError or TypeError when it is garbled.
    """
    table = json.loads((directory / MARKER).read_text(encoding="utf-8"))
    return [StoredFile(str(f["path"]), int(f["size"]), str(f["sha256"])) for f in table["files"]]


def open_unfinished(directory: Path) -> Path:
    """An empty sibling folder to build in. Leftovers of builds that died are removed: the caller holds the lock."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    for leftover in directory.parent.glob(f"{UNFINISHED}*"):
        remove(leftover)
    unfinished = directory.parent / f"{UNFINISHED}{directory.name}-{os.getpid()}"
    unfinished.mkdir()
    return unfinished


def finish(unfinished: Path, directory: Path, *, seconds: float) -> None:
    """Write the marker, and put the folder in place by one rename; the folder that was there before is removed."""
    files = [
        StoredFile(str(path.relative_to(unfinished)), path.stat().st_size, sha256_of(path))
        for path in sorted(unfinished.rglob("*"))
        if path.is_file()
    ]
    marker = {
        "name": directory.parent.name,
        "directory": directory.name,
        "build_seconds": round(seconds, 1),
        "files": [asdict(file) for file in files],
    }
    write_file(unfinished / MARKER, json.dumps(marker, indent=1), durable=True)
    if directory.exists():
        directory.rename(directory.parent / f"{UNFINISHED}old-{os.getpid()}")
    unfinished.rename(directory)
    for leftover in directory.parent.glob(f"{UNFINISHED}*"):
        remove(leftover)


def place_file(source: Path, target: Path) -> None:
    """Give `target` the content of `source`: a hard link where the file system has them, else a copy.

    Raises: TerminalError when two sources have the same place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise TerminalError("two files have the same place", where=str(target))
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def remove(folder: Path) -> None:
    """Remove a folder, folders without the write bit (Go makes them) included; nothing when it is gone already."""
    if not folder.exists():
        return
    for parent, _, _ in os.walk(folder):
        os.chmod(parent, stat.S_IRWXU)  # noqa: PTH101 - os.walk gives text
    shutil.rmtree(folder)
