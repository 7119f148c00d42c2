"""The objects on a disk of their own, and back: nothing is lost, wherever a kill falls. Mounts are made up."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import TerminalError
from lakeproof.held_file import HeldByAnother
from lakeproof.stack.engines import minio, store_disk
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

ROOM = 1 << 20


class Cut(BaseException):
    """The process was killed here."""


class Disk:
    """Stands for mkfs, mount and umount: a folder that is there or not. `left`: changes until a kill; -1: none."""

    def __init__(self, stack: Stack) -> None:
        self.place = store_disk.disk_folder(stack)
        self.away = self.place.with_name("unmounted")
        self.left = -1

    def command(self, *words: str, next_action: str = "") -> None:
        self.count()
        if words[0] == "mkfs.ext4":
            shutil.rmtree(self.away, ignore_errors=True)
            self.away.mkdir()
        elif words[0] == "mount":
            self.place.rmdir()
            self.away.rename(self.place)
        else:
            self.place.rename(self.away)
            self.place.mkdir()

    def mounted(self) -> bool:
        return self.place.is_dir() and not self.away.exists() and any(self.place.iterdir())

    def count(self) -> None:
        if self.left == 0:
            raise Cut
        self.left -= 1


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    made = Stack(Settings(state_dir=tmp_path))
    minio.prepare(made)
    write(made, "lake/orders/1", b"one")
    write(made, "flink/state", b"two")
    return made


@pytest.fixture
def disk(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(stack)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(store_disk, "_command", made.command)
    monkeypatch.setattr(Path, "is_mount", lambda path: path == made.place and made.mounted())

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            made.count()
            return real(*args, **named)

        return call

    for owner, name in ((Path, "symlink_to"), (Path, "unlink"), (shutil, "copytree"), (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    real_rename = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if made.away not in (path, target):
            made.count()
        return real_rename(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    return made


def move(stack: Stack) -> None:
    store_disk.make_disk(stack, ROOM)
    store_disk.move_to_disk(stack)


def write(stack: Stack, name: str, body: bytes) -> None:
    path = minio.objects_folder(stack) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.setxattr(path, "user.etag", body)


def held(stack: Stack) -> dict[str, tuple[bytes, bytes]]:
    folder = minio.objects_folder(stack)
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), os.getxattr(path, "user.etag")) for path in files}


def test_objects_go_there_and_come_back_with_what_was_written_meanwhile(stack: Stack, disk: Disk) -> None:
    move(stack)
    with pytest.raises(TerminalError, match="earlier move"):
        store_disk.make_disk(stack, ROOM)
    assert store_disk.has_own_disk(stack) and store_disk.was_moved(stack)
    with pytest.raises(TerminalError, match="objects lie on it"):
        store_disk.remove_disk(stack)
    assert minio.objects_folder(stack).resolve() == disk.place / "objects"
    write(stack, "lake/orders/2", b"three")
    write(stack, "dump/part", b"four")
    write(stack, "lake/dump/part", b"five")
    for _ in range(2):
        store_disk.give_back(stack, leave=lambda bucket: bucket == "dump")
        store_disk.remove_disk(stack)
    assert not store_disk.has_own_disk(stack)
    assert held(stack) == {
        "lake/orders/1": (b"one", b"one"),
        "flink/state": (b"two", b"two"),
        "lake/orders/2": (b"three", b"three"),
        "lake/dump/part": (b"five", b"five"),
    }
    shutil.rmtree(disk.away)
    assert {path.name for path in minio.objects_folder(stack).parent.iterdir()} == {"objects", "moving.lock"}


def test_a_kill_anywhere_on_the_way_loses_nothing(stack: Stack, disk: Disk) -> None:
    whole = held(stack)
    for left in range(40):
        disk.left = left
        try:
            move(stack)
            store_disk.give_back(stack)
            store_disk.remove_disk(stack)
        except Cut:
            disk.left = -1
            # The store is started again: it finds its objects, or does not start.
            try:
                minio.prepare(stack)
                assert held(stack) == whole, f"started at change {left}"
            except TerminalError as error:
                assert "fault remove filled_store" in error.next_action
            store_disk.give_back(stack)
            store_disk.remove_disk(stack)
            assert held(stack) == whole, f"killed at change {left}"
            assert not store_disk.was_moved(stack)
            continue
        assert left > 8
        assert held(stack) == whole
        return
    pytest.fail("more changes than were looked at")


def test_after_a_restart_of_the_machine_the_store_does_not_start_over_an_empty_folder(
    stack: Stack, disk: Disk
) -> None:
    move(stack)
    write(stack, "lake/orders/2", b"three")
    store_disk.unmount(stack)
    for _ in range(2):
        with pytest.raises(TerminalError, match="not mounted"):
            minio.prepare(stack)
        shutil.rmtree(minio.objects_folder(stack).with_name("objects.before"), ignore_errors=True)
    store_disk.give_back(stack)
    assert held(stack)["lake/orders/2"] == (b"three", b"three")


def test_who_may_not_mount_is_told_before_anything_is_changed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(TerminalError, match="only root"):
        store_disk.make_disk(stack, ROOM)
    assert sorted(held(stack)) == ["flink/state", "lake/orders/1"]


def test_two_folders_of_objects_are_for_a_person(stack: Stack, disk: Disk) -> None:
    move(stack)
    objects = minio.objects_folder(stack)
    objects.unlink()
    write(stack, "lake/orders/9", b"other")
    with pytest.raises(TerminalError, match=r"objects\.before"):
        store_disk.give_back(stack)
    assert list(held(stack)) == ["lake/orders/9"]


def test_a_link_of_a_persons_own_is_left_alone(stack: Stack, disk: Disk, tmp_path: Path) -> None:
    """Who has put the store onto a larger disk."""
    objects = minio.objects_folder(stack)
    objects.rename(tmp_path / "elsewhere")
    objects.symlink_to(tmp_path / "elsewhere")
    assert not store_disk.has_own_disk(stack) and not store_disk.was_moved(stack)
    minio.prepare(stack)
    with pytest.raises(TerminalError, match="link of somebody's"):
        store_disk.make_disk(stack, ROOM)
    assert sorted(held(stack)) == ["flink/state", "lake/orders/1"]


def test_what_is_not_mounted_is_nobodys_to_fill(stack: Stack, disk: Disk) -> None:
    assert not store_disk.is_filled_alone(stack)
    move(stack)
    assert store_disk.is_filled_alone(stack)
    store_disk.unmount(stack)
    assert store_disk.has_own_disk(stack) and not store_disk.is_filled_alone(stack)


def test_where_it_cannot_be_mounted_nothing_is_left(
    stack: Stack, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*words: str, next_action: str = "") -> None:
        if words[0] == "mount":
            raise TerminalError("mount: permission denied", where="disk")

    monkeypatch.setattr(store_disk, "_command", refused)
    with pytest.raises(TerminalError, match="permission"):
        store_disk.make_disk(stack, ROOM)
    assert not store_disk.was_moved(stack)
    assert sorted(held(stack)) == ["flink/state", "lake/orders/1"]


def test_while_objects_are_moved_the_store_does_not_start(stack: Stack) -> None:
    with minio.may_not_start(stack, 0.1):
        with pytest.raises(HeldByAnother):
            minio.prepare(stack)
        with pytest.raises(HeldByAnother), minio.may_not_start(stack, 0.1):
            pytest.fail("two of them")
    minio.prepare(stack)
