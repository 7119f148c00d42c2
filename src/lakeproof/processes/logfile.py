"""A component's log file: its last lines, following it, keeping it from filling the disk."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

ROTATE_BYTES = 50 * 1024 * 1024
KEPT = 2
TAIL_BYTES = 256 * 1024


def tail(path: Path, lines: int) -> list[str]:
    """The last lines, without their line ends; none where there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - max(TAIL_BYTES, lines * 400))
            file.seek(start)
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    found = text.splitlines()
    if start and found:
        found = found[1:]  # the first one was cut
    return found[-lines:] if lines > 0 else []


def rotated(path: Path) -> list[Path]:
    """The file and its older parts, oldest first, those that exist."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(KEPT, 0, -1)]
    return [part for part in (*older, path) if part.exists()]


def rotate(path: Path, limit_bytes: int = ROTATE_BYTES) -> bool:
    """Copy and truncate a file past the limit, keeping two older parts. True when it was done.

    By truncating, for the writer keeps its descriptor (opened for appending, so it goes on at the new end). Lines
    written between copy and truncate are lost.
    """
    try:
        if path.stat().st_size < limit_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(KEPT, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def follow(path: Path, start: int) -> Iterator[str | None]:
    """What is appended from byte `start` on, line by line; None when there is nothing new at the moment."""
    position, rest = start, b""
    while True:
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            size = 0
        if size < position:
            position, rest = 0, b""  # truncated by a rotation
        if size == position:
            yield None
            continue
        with path.open("rb") as file:
            file.seek(position)
            chunk = file.read(1 << 20)
        position += len(chunk)
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
