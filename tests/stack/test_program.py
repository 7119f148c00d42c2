from pathlib import Path

import pytest

from lakeproof.errors import MissingArtifact
from lakeproof.stack import program
from lakeproof.stack.program import find_program


def put_program(folder: Path, name: str) -> str:
    """Have an executable file of that name there."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(program, "_SBIN", str(tmp_path / "sbin"))


def test_the_first_name_is_preferred(tmp_path: Path) -> None:
    put_program(tmp_path / "bin", "exporter")
    debians = put_program(tmp_path / "bin", "prometheus-exporter")
    assert find_program("prometheus-exporter", "exporter", package="exporter") == debians


def test_any_name_on_path_comes_before_the_system_s_folders(tmp_path: Path) -> None:
    put_program(tmp_path / "sbin", "prometheus-exporter")
    own = put_program(tmp_path / "bin", "exporter")
    assert find_program("prometheus-exporter", "exporter", package="exporter") == own


def test_a_server_that_only_root_has_on_its_path_is_found(tmp_path: Path) -> None:
    server = put_program(tmp_path / "sbin", "redis-server")
    assert find_program("redis-server", package="redis-server") == server


def test_without_it_the_package_is_named() -> None:
    with pytest.raises(MissingArtifact, match="mariadb-server"):
        find_program("mariadbd", package="mariadb-server (mariadbd)")
