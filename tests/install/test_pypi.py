"""Archives from PyPI: unpacked by folder, and never outside the artifact."""

import io
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakeproof.errors import TerminalError
from lakeproof.install import pypi
from lakeproof.install.cache import tools_dir
from lakeproof.install.pypi import pip_command, unpack
from lakeproof.install.workplace import Workplace

from .conftest import HeardProgress, MakeRecipe


def zipped(path: Path, members: dict[str, tuple[bytes, int]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, (content, mode) in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def test_only_the_named_folders_of_a_wheel_are_unpacked_and_programs_stay_programs(tmp_path: Path) -> None:
    wheel = zipped(
        tmp_path / "x.whl",
        {"pkg/java/bin/java": (b"run", 0o755), "pkg/java/release": (b"17", 0o644), "pkg/other": (b"", 0o644)},
    )
    unpack(wheel, tmp_path / "out", {"pkg/java": "."})
    assert (tmp_path / "out" / "bin" / "java").stat().st_mode & 0o111
    assert not (tmp_path / "out" / "release").stat().st_mode & 0o111
    assert not (tmp_path / "out" / "other").exists()


def test_folders_of_a_source_archive_go_where_they_are_wanted(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("x-1/deps/lib/a.jar")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"jar"))
    unpack(tmp_path / "x.tar.gz", tmp_path / "out", {"x-1/deps/lib": "lib"})
    assert (tmp_path / "out" / "lib" / "a.jar").read_bytes() == b"jar"


def test_a_member_that_would_leave_the_artifact_is_refused(tmp_path: Path) -> None:
    wheel = zipped(tmp_path / "x.whl", {"pkg/../../evil": (b"x", 0o644)})
    with pytest.raises(TerminalError, match="outside"):
        unpack(wheel, tmp_path / "out", {"pkg": "."})
    assert not (tmp_path / "evil").exists()


def test_an_archive_without_the_wanted_folder_is_refused(tmp_path: Path) -> None:
    wheel = zipped(tmp_path / "x.whl", {"pkg/a": (b"x", 0o644)})
    with pytest.raises(TerminalError, match="no folder gone"):
        unpack(wheel, tmp_path / "out", {"gone": "."})


def test_two_artifacts_that_are_built_at_once_make_one_environment_with_pip(
    make_recipe: MakeRecipe, never: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_asked, made = threading.Event(), []

    class Heard(HeardProgress):
        def report(self, name: str, text: str) -> None:
            super().report(name, text)
            if len(self.lines) == 2:  # one makes it, and the other waits or makes it too
                both_asked.set()

    def make_environment(command: list[object], **_: object) -> None:
        made.append(command)
        assert both_asked.wait(20)
        (tools_dir() / "bin").mkdir(parents=True, exist_ok=True)
        (tools_dir() / "bin" / "pip").touch()

    monkeypatch.setattr(pypi, "run", make_environment)
    place = Workplace(make_recipe(), tmp_path, {}, Heard(), never)
    with ThreadPoolExecutor(2) as pool:
        for asked in [pool.submit(pip_command, place) for _ in range(2)]:
            asked.result()
    assert len(made) == 1
