"""A disk of the object store's own, so small that it can be filled: an image of a file system, mounted.

The store's folder usually shares its file system with everything else, and a full one would take the whole stack
down. So the objects are copied onto a disk of their own, and their folder becomes a link there. Both changes are made
while the store has no process, and gets none (minio.may_not_start). Only root may mount.

After a restart of the machine the disk is no longer mounted, and the link leads nowhere. A move that was cut off
leaves a folder beside the store's own. In both cases the store refuses to start (minio.prepare). `give_back` mounts
the disk again, and copies the objects back. Whoever makes, fills, gives back or removes the disk holds
minio.may_not_start.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.stack.engines.minio import objects_folder
from lakeproof.stack.stack import Stack

# What the file system itself takes: 256 bytes of an inode for each 4 KiB, and its journal.
SHARE_OF_INODES, JOURNAL_BYTES = 0.08, 16 << 20
COMMAND_SECONDS = 60.0


def disk_folder(stack: Stack) -> Path:
    """Where the disk is mounted."""
    return objects_folder(stack).with_name("disk")


def has_own_disk(stack: Stack) -> bool:
    """True while the objects lie on that disk, mounted or not. A link to another place is a person's own."""
    objects = objects_folder(stack)
    return objects.is_symlink() and objects.readlink() == disk_folder(stack) / "objects"


def is_filled_alone(stack: Stack) -> bool:
    """True where whatever fills the store fills that disk, and no disk that others use."""
    return has_own_disk(stack) and disk_folder(stack).is_mount()


def was_moved(stack: Stack) -> bool:
    """True while anything of a move is left to be taken back, also after a move that was cut off."""
    return has_own_disk(stack) or any(
        path.exists() for path in (disk_folder(stack), _image(stack), _before(stack), _back(stack))
    )


def make_disk(stack: Stack, room_bytes: int) -> None:
    """Make and mount an empty disk for all objects and `room_bytes` more; the store may go on meanwhile.

    Raises: TerminalError, after which nothing is changed; also where an earlier move is not taken back.
    """
    objects, disk = objects_folder(stack), disk_folder(stack)
    if objects.is_symlink() and not has_own_disk(stack):
        raise TerminalError(
            "it is a link of somebody's", where=str(objects), next_action="put the folder itself there, to play this"
        )
    if os.geteuid() != 0:
        raise TerminalError("only root may mount a disk", where=str(disk), next_action="run it as root")
    if (left := [path.name for path in (_before(stack), _back(stack)) if path.exists()]) or has_own_disk(stack):
        raise TerminalError(
            f"objects of an earlier move are there: {' '.join(left) or 'the disk itself'}",
            where=str(disk),
            next_action="lakeproof fault remove filled_store",
        )
    remove_disk(stack)
    used = sum(_bytes(path) for path in objects.rglob("*"))
    size = int((used + room_bytes) * (1 + SHARE_OF_INODES)) + JOURNAL_BYTES
    if shutil.disk_usage(objects).free < 2 * size:
        raise TerminalError(f"no room for a disk of {size >> 20} MiB", where=str(disk), next_action="free space")
    try:
        with _image(stack).open("wb") as image:
            image.truncate(size)
        _command("mkfs.ext4", "-q", "-F", "-m", "0", "-i", "4096", str(_image(stack)))
        _mount(stack)
    except BaseException:
        remove_disk(stack)
        raise


def _bytes(path: Path) -> int:
    with suppress(FileNotFoundError):  # the store deletes meanwhile
        return path.lstat().st_blocks * 512
    return 0


def move_to_disk(stack: Stack) -> None:
    """Copy all objects to the disk, and put a link in their folder's place; the folder stays until `give_back`.

    Raises: TerminalError, after which nothing is changed.
    """
    objects, disk = objects_folder(stack), disk_folder(stack)
    _copy(objects, disk / "objects")
    os.sync()
    objects.rename(_before(stack))
    objects.symlink_to(disk / "objects")


def give_back(stack: Stack, leave: Callable[[str], bool] = lambda name: False) -> None:
    """Copy all objects back, but no top folder (a bucket) for whose name `leave` is true. The disk stays.

    Safe to repeat, also after a kill at any moment. Raises: TerminalError.
    """
    objects, disk, before, back = objects_folder(stack), disk_folder(stack), _before(stack), _back(stack)
    if has_own_disk(stack):
        _mount(stack)
        copying = back.with_suffix(".copying")
        for stale in (copying, back):
            shutil.rmtree(stale, ignore_errors=True)
        _copy(disk / "objects", copying, leave)
        os.sync()
        copying.rename(back)
        # From here on `back` is the newest copy, and the only one but for the disk's.
        shutil.rmtree(before, ignore_errors=True)
        objects.unlink()
    newest = back if back.exists() else before
    if newest.exists():
        try:
            # An empty folder in that place is replaced.
            newest.rename(objects)
        except OSError as error:
            raise TerminalError(
                f"objects lie in {objects} and in {newest}",
                where="minio",
                next_action="compare the two, and keep one under the first name",
            ) from error


def remove_disk(stack: Stack) -> None:
    """Unmount the disk and delete it, once `give_back` is done and no process uses it any more; safe to repeat.

    Raises: TerminalError, also while objects lie on it.
    """
    if has_own_disk(stack):
        raise TerminalError("objects lie on it", where=str(disk_folder(stack)), next_action="give them back first")
    unmount(stack)
    _image(stack).unlink(missing_ok=True)
    if disk_folder(stack).is_dir():
        disk_folder(stack).rmdir()


def unmount(stack: Stack) -> None:
    """Unmount the disk, if it is mounted; its image stays. Raises: TerminalError, while somebody uses the disk."""
    if disk_folder(stack).is_mount():
        _command(
            "umount", str(disk_folder(stack)), next_action="who uses it (fuser -vm)? end that, then do this again"
        )


def _mount(stack: Stack) -> None:
    disk = disk_folder(stack)
    disk.mkdir(exist_ok=True)
    if not disk.is_mount():
        _command("mount", "-o", "loop,noatime", str(_image(stack)), str(disk))


def _copy(source: Path, target: Path, leave: Callable[[str], bool] = lambda name: False) -> None:
    """Copy with times and extended attributes, in which the store keeps the metadata of an object."""

    def left(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder) == source and leave(name)]

    try:
        shutil.copytree(source, target, ignore=left)
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise TerminalError(
            f"not copied: {error}", where=str(target), next_action="free space, then do this again"
        ) from error


def _image(stack: Stack) -> Path:
    return objects_folder(stack).with_name("disk.img")


def _before(stack: Stack) -> Path:
    return objects_folder(stack).with_name("objects.before")


def _back(stack: Stack) -> Path:
    return objects_folder(stack).with_name("objects.back")


def _command(
    *words: str, next_action: str = "may this user mount here? a container may not, unless it was given that right"
) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TerminalError(f"{words[0]}: {error}", where=words[-1], next_action="is it installed?") from error
    if done.returncode != 0:
        raise TerminalError(
            f"{words[0]}: {done.stderr.strip()[-300:]}",
            where=words[-1],
            next_action=next_action,
        )
