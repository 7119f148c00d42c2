"""A folder below a common one is used only where it is really ours."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.errors import LakeproofError
from lakeproof.stack.own_folder import OTHERS_WRITE, make_socket_folder, refuse_foreign

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to another user")


def check(folder: Path) -> None:
    refuse_foreign(folder, owners={os.geteuid()}, closed=0o077, next_action="set X")


def link(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "elsewhere")


def dangling(folder: Path) -> None:
    folder.symlink_to(folder.parent / "not there")


def file(folder: Path) -> None:
    folder.touch(mode=0o600)


def open_to_others(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o750)


def of_another_user(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (link, "symbolic link"),
        (dangling, "symbolic link"),
        (file, "no folder"),
        (open_to_others, "mode 0750"),
        pytest.param(of_another_user, "another user, nobody", marks=as_root),
    ],
)
def test_what_somebody_else_may_have_made_is_refused_and_said(
    made: Callable[[Path], None], told: str, tmp_path: Path
) -> None:
    folder = tmp_path / "guessed-name"
    made(folder)
    with pytest.raises(LakeproofError, match=told) as refused:
        check(folder)
    assert (refused.value.where, "set X" in refused.value.next_action) == (str(folder), True)


def test_what_is_not_there_or_is_ours_alone_is_used(tmp_path: Path) -> None:
    check(tmp_path / "not there")
    (tmp_path / "ours").mkdir(mode=0o700)
    check(tmp_path / "ours")


@as_root
@pytest.mark.parametrize("made", [link, dangling, of_another_user])
def test_a_servers_socket_folder_that_is_not_ours_is_not_handed_over(
    made: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "lakeproof-mysql-0"
    made(folder)
    before = folder.stat() if folder.exists() else None
    with pytest.raises(LakeproofError, match=re.escape("not used")):
        make_socket_folder(folder, "daemon", "base-passwd")
    assert (folder.stat() if folder.exists() else None) == before


@as_root
def test_a_servers_socket_folder_is_the_servers_and_may_be_made_twice(tmp_path: Path) -> None:
    folder = tmp_path / "lakeproof-mysql-0"
    for _ in range(2):
        make_socket_folder(folder, "daemon", "base-passwd")
    found = folder.stat()
    assert (found.st_uid, found.st_mode & OTHERS_WRITE) == (1, 0)
