"""A component's log file: its last lines, following it, keeping it from filling the disk without losing a byte.

A log is one stream of bytes from the component's first word on. The writers hold NAME.log open for appending, so it
cannot be renamed away from them. Rotation copies the older part to NAME.log.1 and has the kernel cut it out of the
file (fallocate, FALLOC_FL_COLLAPSE_RANGE: ext4, xfs), which no writer notices. NAME.log.at holds the positions in the
stream at which NAME.log and its older parts begin, so a reader who knows its position finds it again after any number
of rotations. Where somebody empties NAME.log, the bytes that were in it are a gap in the stream.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

ROTATE_BYTES = 50 * 1024 * 1024
KEPT = 2
TAIL_BYTES = 256 * 1024
CHUNK_BYTES = 1 << 20
_COLLAPSE_RANGE = 0x08  # linux/falloc.h


@dataclass(frozen=True)
class Part:
    """One file of a log: `begins` is the position of its first byte in the log's stream."""

    path: Path
    begins: int
    size: int


@dataclass(frozen=True)
class _Mark:
    """The content of NAME.log.at.

    begins: the position in the stream of the first byte of NAME.log.
    cut: above 0 only while a rotation is under way: how many bytes are taken out of NAME.log.
    size: the size of NAME.log before that cut.
    older: the positions at which NAME.log.1, NAME.log.2 and so on begin; an older version did not write them.
    """

    begins: int
    cut: int = 0
    size: int = 0
    older: tuple[int, ...] = ()


def tail(path: Path, lines: int) -> list[str]:
    """The last lines, without their line ends; none where there is no file."""
    wanted, text, whole = tail_bytes(lines), b"", True
    for part in reversed(rotated(path)):
        try:
            with part.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                start = max(0, size - wanted + len(text))
                file.seek(start)
                text = file.read() + text
        except OSError:
            return []
        whole = start == 0
        if len(text) >= wanted:
            break
    found = text.decode(errors="replace").splitlines()
    if not whole and found:
        found = found[1:]  # the first line was cut
    return found[-lines:] if lines > 0 else []


def tail_bytes(lines: int) -> int:
    """So many bytes at the end of a log are read for its last lines."""
    return max(TAIL_BYTES, lines * 400)


def rotated(path: Path) -> list[Path]:
    """The existing files of a log: the older parts, oldest first, then the file itself."""
    return [part for part in (*(_older(path, number) for number in range(KEPT, 0, -1)), path) if part.exists()]


def span(path: Path) -> tuple[int, int]:
    """The positions in the stream at which the kept parts begin and end; (0, 0) where there is no file."""
    try:
        with _held(path, fcntl.LOCK_SH) as descriptor:
            parts = _parts(path, descriptor)
    except FileNotFoundError:
        return 0, 0
    return parts[0].begins, parts[-1].begins + parts[-1].size


def read(path: Path, position: int, limit: int = CHUNK_BYTES) -> tuple[int, bytes]:
    """At most `limit` bytes of the stream from `position` on, and the position of the first of them.

    The returned position is higher than `position` where rotation has already dropped bytes. No bytes: nothing new.
    A file that ends before `position` was emptied or replaced by somebody. Its stream then goes on at `position`, and
    older parts keep their positions. Such a file that has grown past `position` again is not noticed, and positions
    are given twice.
    """
    try:
        with _held(path, fcntl.LOCK_SH) as descriptor:
            parts = _parts(path, descriptor)
            if position <= parts[-1].begins + parts[-1].size:
                for part in parts:
                    if position < part.begins + part.size:
                        start = max(position, part.begins)
                        return start, _read_part(part, path, descriptor, start - part.begins, limit)
                return position, b""
        with _held(path, fcntl.LOCK_EX) as descriptor:
            parts = _parts(path, descriptor)
            if position > parts[-1].begins + parts[-1].size:
                _write_mark(path, _Mark(position, older=_begins(parts[:-1])))
    except FileNotFoundError:
        return position, b""
    return read(path, position, limit)


def follow(path: Path, start: int) -> Iterator[str | None]:
    """The lines that come after position `start` of the stream; None when there is nothing new at the moment."""
    position, rest = start, b""
    while True:
        found, chunk = read(path, position)
        if not chunk:
            yield None
            continue
        if found != position:
            rest = b""
        position = found + len(chunk)
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")


def rotate(path: Path, limit_bytes: int = ROTATE_BYTES) -> bool:
    """Move all but the end of a file past the limit to NAME.log.1, keeping two older parts. True when it was done.

    Nothing is lost where the file system can cut (ext4, xfs). Elsewhere the file is truncated after the copy, and
    bytes that are written within those microseconds are lost. A part may end in the middle of a line, which the next
    part completes. Raises: OSError. On a full disk the log grows on, and the oldest part is deleted to make room.
    """
    mend(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        size = os.fstat(descriptor).st_size
        block = os.fstatvfs(descriptor).f_bsize
        try:
            cutting = can_cut(path.parent)
        except OSError as error:
            _make_room(path, error)
            raise
        # The kernel cuts whole blocks, and never up to the end of the file.
        count = (size - 1) // block * block if cutting else size
        if size < limit_bytes or count <= 0:
            return False
        partial = _partial(path)
        try:
            with partial.open("wb") as copy:
                copied = _copy(descriptor, copy.fileno(), 0, count)
                os.fsync(copy.fileno())
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                while not cutting and copied < (size := os.fstat(descriptor).st_size):
                    copied += _copy(descriptor, copy.fileno(), copied, size)
        except OSError as error:
            partial.unlink(missing_ok=True)
            _make_room(path, error)
            raise
        *older, newest = _parts(path, descriptor)
        # Somebody has emptied the file meanwhile: nothing is left to cut.
        if cutting and (copied < count or newest.size < size):
            partial.unlink()
            return False
        _write_mark(path, _Mark(newest.begins, copied, newest.size, _begins(older)))
        _finish(path, descriptor)
    finally:
        os.close(descriptor)
    return True


def mend(path: Path) -> None:
    """Finish a rotation that a kill cut off half-way. Called before the file is written to or read again."""
    if not _read_mark(path).cut:
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _read_mark(path).cut:
            _finish(path, descriptor)
    finally:
        os.close(descriptor)


@cache
def can_cut(folder: Path) -> bool:
    """True where the folder's file system can take bytes out of the beginning of a file. Raises: OSError."""
    probe = folder / f".cut-probe-{os.getpid()}"
    try:
        with probe.open("wb") as file:
            block = os.fstatvfs(file.fileno()).f_bsize
            file.truncate(2 * block)  # a hole instead of written bytes: even a full disk has room for it
            _cut(file.fileno(), block)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _finish(path: Path, descriptor: int) -> None:
    """Do the part of a rotation that needs the lock, or the rest of it where a kill cut it off."""
    mark = _read_mark(path)
    partial = _partial(path)
    if partial.exists():
        for number in range(KEPT, 1, -1):
            with suppress(FileNotFoundError):
                _older(path, number - 1).replace(_older(path, number))
        partial.replace(_older(path, 1))
    # Writers only append, so a file that is shorter than the mark says has been cut already.
    if os.fstat(descriptor).st_size >= mark.size:
        if can_cut(path.parent):
            _cut(descriptor, mark.cut)
        else:
            os.ftruncate(descriptor, 0)
    _write_mark(path, _Mark(mark.begins + mark.cut, older=(mark.begins, *mark.older)[:KEPT]))


def _make_room(path: Path, error: OSError) -> None:
    if error.errno == errno.ENOSPC:
        _older(path, KEPT).unlink(missing_ok=True)


def _cut(descriptor: int, count: int) -> None:
    """Take the first `count` bytes out of a file. Raises: OSError."""
    import ctypes  # here, since a command that only reads logs does not need it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(descriptor, _COLLAPSE_RANGE, ctypes.c_long(0), ctypes.c_long(count)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _copy(source: int, target: int, start: int, end: int) -> int:
    """Copy the source's bytes from `start` to `end` to the target; gives how many were copied."""
    done = 0
    while start + done < end:
        sent = os.sendfile(target, source, start + done, end - start - done)
        if sent == 0:
            break
        done += sent
    return done


@contextmanager
def _held(path: Path, how: int) -> Iterator[int]:
    """Open the file under a lock that keeps rotations (LOCK_SH) or every other process (LOCK_EX) away.

    Raises: FileNotFoundError.
    """
    mend(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)


def _parts(path: Path, descriptor: int) -> list[Part]:
    """All parts, oldest first. The caller holds the lock."""
    mark = _read_mark(path)
    found = [Part(path, mark.begins, os.fstat(descriptor).st_size)]
    for number in range(1, KEPT + 1):
        try:
            size = _older(path, number).stat().st_size
        except FileNotFoundError:
            break
        begins = mark.older[number - 1] if number <= len(mark.older) else found[-1].begins - size
        found.append(Part(_older(path, number), begins, size))
    return found[::-1]


def _begins(older: list[Part]) -> tuple[int, ...]:
    """The parts' positions in the order of _Mark.older: the newest part first."""
    return tuple(part.begins for part in reversed(older))


def _read_part(part: Part, path: Path, descriptor: int, offset: int, limit: int) -> bytes:
    if part.path == path:
        return os.pread(descriptor, limit, offset)
    with part.path.open("rb") as file:
        file.seek(offset)
        return file.read(limit)


def _older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _mark_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.at")


def _read_mark(path: Path) -> _Mark:
    try:
        said = json.loads(_mark_path(path).read_text())
        return _Mark(**said | {"older": tuple(said.get("older", ()))})
    except (
        FileNotFoundError,
        ValueError,
        TypeError,
        AttributeError,
    ):  # never rotated, or by a version that left no mark
        return _Mark(sum(part.stat().st_size for part in rotated(path) if part != path))


def _write_mark(path: Path, mark: _Mark) -> None:
    target = _mark_path(path)
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    new.write_text(json.dumps(asdict(mark)))
    new.replace(target)
