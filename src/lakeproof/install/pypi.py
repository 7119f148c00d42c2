"""Fetches archives from PyPI through pip, checked against the lock before pip opens them, and unpacks them."""

import shutil
import stat
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from lakeproof.errors import TerminalError
from lakeproof.install.cache import downloads_dir, hold_artifact, logs_dir, tools_dir
from lakeproof.install.lock import LockedFile, sha256_of
from lakeproof.install.program import run
from lakeproof.install.recipe import PypiStep
from lakeproof.install.workplace import Amount, Workplace, bytes_under


def fetch_archive(step: PypiStep, place: Workplace) -> None:
    """Download the archive (or take it from the cache), note it for the lock, unpack the step's folders.

    Raises: ProgramFailed when pip cannot fetch it or its hash is not the locked one.
    """
    locked = _locked(step, place)
    archive = _kept(locked) if not place.relock else None
    if archive is None:
        archive = _download(step, place, locked)
    place.received(
        LockedFile(f"@{archive.name}", sha256_of(archive), archive.stat().st_size, f"pypi:{step.requirement}")
    )
    place.say(f"unpacking {archive.name}")
    unpack(archive, place.folder, dict(step.unpack))


def unpack(archive: Path, target: Path, folders: dict[str, str]) -> None:
    """Unpack parts of a zip or tar: `folders` maps a folder in the archive to one under `target`.

    Raises: TerminalError when a folder is not in the archive, or a member would leave the target.
    """
    empty = set(folders)
    for name, mode, content in _members(archive):
        for source, into in folders.items():
            if not name.startswith(f"{source}/"):
                continue
            inner = PurePosixPath(name.removeprefix(f"{source}/"))
            if inner.is_absolute() or ".." in inner.parts:
                raise TerminalError(f"{name} would be unpacked outside its folder", where=archive.name)
            path = target / into / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as sink:
                shutil.copyfileobj(content, sink, 1 << 20)
            path.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
            empty.discard(source)
    if empty:
        raise TerminalError(f"no folder {', '.join(sorted(empty))} in the archive", where=archive.name)


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Name, mode and content of each regular file, in the archive's order."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    with zipped.open(info) as content:
                        yield info.filename, info.external_attr >> 16, content
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            unpacked = tarred.extractfile(member) if member.isfile() else None
            if unpacked is not None:
                yield member.name, member.mode, unpacked


def _download(step: PypiStep, place: Workplace, locked: LockedFile | None) -> Path:
    if place.offline:
        raise TerminalError(f"{step.requirement} is not in the cache", where="set-up --offline")
    incoming = place.folder / ".incoming"
    incoming.mkdir()
    wanted = incoming / "requirements.txt"
    pinned = "" if place.relock or locked is None else f" --hash=sha256:{locked.sha256}"
    wanted.write_text(f"{step.requirement}{pinned}\n", encoding="utf-8")
    kind = "--no-binary" if step.archive == "sdist" else "--only-binary"
    place.say(f"fetching {step.requirement} from PyPI")
    size = locked.size if locked else 0
    with place.watched(lambda: Amount(min(bytes_under(incoming), size or sys.maxsize), size, "MB")):
        run(
            [*pip_command(place), "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check",
             "--progress-bar=off", f"{kind}={step.requirement.split('==')[0]}", "-d", incoming, "-r", wanted],
            log=place.log,
            stop=place.stop,
            env={"TMPDIR": str(incoming)},
        )  # fmt: skip
    wanted.unlink()
    found = [path for path in incoming.iterdir() if path.name.endswith((".whl", ".tar.gz", ".zip"))]
    if len(found) != 1:
        raise TerminalError(f"pip left {len(found)} archives instead of one", where=step.requirement)
    kept = downloads_dir() / found[0].name
    kept.parent.mkdir(parents=True, exist_ok=True)
    found[0].replace(kept)
    shutil.rmtree(incoming)
    return kept


def _locked(step: PypiStep, place: Workplace) -> LockedFile | None:
    for file in place.locked.values():
        if file.coordinates == f"pypi:{step.requirement}":
            return file
    return None


def _kept(locked: LockedFile | None) -> Path | None:
    """The archive in the cache when it is whole; a broken one is removed."""
    if locked is None:
        return None
    path = downloads_dir() / locked.path.removeprefix("@")
    if not path.is_file():
        return None
    if path.stat().st_size == locked.size and sha256_of(path) == locked.sha256:
        return path
    path.unlink()
    return None


def pip_command(place: Workplace) -> list[str]:
    """A pip of our own, since uv's environments have none: bootstrap's, else one made here.

    One at a time makes it: several artifacts are built at once, and each wants it.
    """
    python = tools_dir() / "bin" / "python"
    with hold_artifact("pip", waiting=lambda holder: place.say(f"waiting for pip from {holder}"), stop=place.stop):
        if not (tools_dir() / "bin" / "pip").exists():
            place.say("making an environment with pip")
            run([sys.executable, "-m", "venv", tools_dir()], log=logs_dir() / "pip.log", stop=place.stop)
    return [str(python), "-m", "pip"]
