"""The committed lock of what a recipe fetches: one line per file with sha256, bytes, place and coordinates."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import InvalidInput, TerminalError


@dataclass(frozen=True, order=True)
class LockedFile:
    """One fetched file. `path` is its place in the artifact, or `@NAME` for an archive that is unpacked."""

    path: str
    sha256: str
    size: int
    coordinates: str


class LockMismatch(TerminalError):
    """The files that were fetched are not those of the lock; `paths` are the places that differ."""

    def __init__(self, name: str, wrong: list[str], paths: list[str]) -> None:
        self.paths = paths
        shown = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        super().__init__(
            f"{len(wrong)} files are not as locked: {shown}",
            where=f"third_party/{name}/lock.tsv",
            next_action=f"if a version was changed on purpose: lakeproof setup --only {name} --relock; see the diff",
        )


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_lock(path: Path) -> dict[str, LockedFile]:
    """The lock's files by place; empty when there is no lock file (a recipe that fetches nothing itself).

    Raises: InvalidInput with the line that cannot be read.
    """
    if not path.exists():
        return {}
    files: dict[str, LockedFile] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("#") or not line.strip():
            continue
        parts = line.split("\t")
        if len(parts) != 4 or len(parts[0]) != 64 or not parts[1].isdigit():
            raise InvalidInput(f"line {number} is not sha256, bytes, path, coordinates", where=str(path))
        files[parts[2]] = LockedFile(path=parts[2], sha256=parts[0], size=int(parts[1]), coordinates=parts[3])
    return files


def write_lock(path: Path, files: Iterable[LockedFile]) -> None:
    """Write the lock anew, sorted by place, so that a diff shows what changed."""
    lines = ["# sha256\tbytes\tpath\tcoordinates; written by: lakeproof setup --relock"]
    lines += [f"{file.sha256}\t{file.size}\t{file.path}\t{file.coordinates}" for file in sorted(files)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def compare(name: str, locked: dict[str, LockedFile], came: dict[str, LockedFile]) -> None:
    """Return when `locked` and `came` hold the same places with the same bytes.

    Raises: LockMismatch, naming files that differ, are missing, or are not in the lock.
    """
    wrong: list[str] = []
    paths: list[str] = []
    for path in sorted(locked.keys() | came.keys()):
        want, got = locked.get(path), came.get(path)
        if want is None:
            wrong.append(f"{path} is not in the lock")
        elif got is None:
            wrong.append(f"{path} did not come")
        elif want.sha256 != got.sha256:
            wrong.append(f"{path} has sha256 {got.sha256[:12]}…, locked {want.sha256[:12]}…")
        else:
            continue
        paths.append(path)
    if wrong:
        raise LockMismatch(name, wrong, paths)
