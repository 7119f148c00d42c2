"""A clone and a cache of a test's own, and factories for small recipes."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.install.recipe import Recipe, load_recipe

REPOSITORY = Path(__file__).resolve().parents[2]

SERVICE_STEP = """
[[step]]
uses = "service-jar"
into = "lib/service.jar"
service = "a.Service"
provider = "a.Provider"
"""

type MakeRecipe = Callable[..., Recipe]
type MakeProgram = Callable[[str, str], Path]


class HeardProgress:
    """Remembers what set-up told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def report(self, name: str, text: str) -> None:
        self.lines.append(f"{name}: {text}")

    def amount(self, name: str, done: int, total: int, unit: str) -> None:
        self.lines.append(f"{name}: {done} of {total} {unit}")


@pytest.fixture
def heard() -> HeardProgress:
    return HeardProgress()


@pytest.fixture
def never() -> threading.Event:
    """An event that nobody sets: the set-up is not stopped."""
    return threading.Event()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """An empty clone."""
    (tmp_path / "clone" / "third_party").mkdir(parents=True)
    return tmp_path / "clone"


@pytest.fixture
def make_recipe(clone: Path) -> MakeRecipe:
    """Write third_party/NAME/artifact.toml with these steps and further keys, and load it."""

    def make(name: str = "thing", steps: str = SERVICE_STEP, **keys: str) -> Recipe:
        folder = clone / "third_party" / name
        folder.mkdir(exist_ok=True)
        head = {
            "name": f'"{name}"',
            "version": '"1.0"',
            "what": '"a thing"',
            "from": '"nowhere"',
            "download_mb": "1",
            "disk_mb": "1",
            "seconds": "1",
        }
        lines = [f"{key} = {value}" for key, value in (head | keys).items()]
        (folder / "artifact.toml").write_text("\n".join(lines) + "\n" + steps)
        return load_recipe(folder, clone)

    return make


@pytest.fixture
def make_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProgram:
    """Put a shell script of this name before everything else on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make
