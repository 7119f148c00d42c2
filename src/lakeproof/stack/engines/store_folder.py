"""A folder of the object store that takes no new files, as after an administrator's mistake on the store's disk.

As root the folder is closed by the file system's flag (`chattr +i`), which even root has to obey; else by its mode.
"""

import fcntl
import os
import struct
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.stack.engines.minio import objects_folder
from lakeproof.stack.stack import Stack

# linux/fs.h: FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL.
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10
_OPEN_MODE, _CLOSED_MODE = 0o755, 0o555


def folder_of(stack: Stack, bucket: str, prefix: str) -> Path:
    """Where the objects under that prefix lie on the disk of our own store."""
    return objects_folder(stack) / bucket / prefix


def commands(folder: Path) -> tuple[str, str]:
    """What a person types to close it, and to open it again."""
    if os.geteuid() == 0:
        return f"chattr +i {folder}", f"chattr -i {folder}"
    return f"chmod a-w {folder}", f"chmod u+w {folder}"


def is_closed(folder: Path) -> bool:
    """True where the folder takes no new file; a folder that does not exist is open. Raises: TerminalError."""
    if not folder.is_dir():
        return False
    return bool(_flags(folder) & _IMMUTABLE) if os.geteuid() == 0 else not folder.stat().st_mode & 0o200


def close(folder: Path) -> None:
    """Close it; safe to repeat. Raises: TerminalError where there is no such folder, or its disk has no such flag."""
    _set(folder, closed=True)


def open_again(folder: Path) -> None:
    """Open it; safe to repeat, also where there is no such folder. Raises: TerminalError."""
    if folder.is_dir():
        _set(folder, closed=False)


def _set(folder: Path, *, closed: bool) -> None:
    if os.geteuid() == 0:
        flags = _flags(folder)
        _ioctl(folder, _SET_FLAGS, flags | _IMMUTABLE if closed else flags & ~_IMMUTABLE)
    else:
        try:
            folder.chmod(_CLOSED_MODE if closed else _OPEN_MODE)
        except OSError as error:
            raise _told(folder, error) from error


def _flags(folder: Path) -> int:
    return _ioctl(folder, _GET_FLAGS, 0)


def _ioctl(folder: Path, request: int, flags: int) -> int:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            answer: int = struct.unpack("l", fcntl.ioctl(descriptor, request, struct.pack("l", flags)))[0]
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _told(folder, error) from error
    return answer


def _told(folder: Path, error: OSError) -> TerminalError:
    return TerminalError(
        f"its flags or mode cannot be changed: {error.strerror}",
        where=str(folder),
        next_action="is it there, on a file system that knows `chattr +i`, and may this user do that?",
    )
