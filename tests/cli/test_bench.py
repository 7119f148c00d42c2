"""`lakeproof bench` loads the benchmarks of the clone that it runs from; without a clone it says where they are."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lakeproof
from benchmarks import CLONE
from lakeproof.errors import InvalidInput


@pytest.mark.usefixtures("own_stack")
def test_the_benchmarks_of_the_clone_are_found_from_any_folder(tmp_path: Path) -> None:
    """-P: the working folder is not searched for modules, as with the installed command."""
    command = [sys.executable, "-P", "-m", "lakeproof.cli.app", "bench"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "whole-transactions" in listed and "beside-flink-cdc" in listed


def test_a_package_of_the_same_name_does_not_take_their_place(tmp_path: Path) -> None:
    foreign = tmp_path / "benchmarks"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("raise RuntimeError('somebody else's')")
    script = (
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "sys.argv = ['lakeproof', 'bench', '--help']\n"
        "from lakeproof.cli.app import main\n"
        "main()"
    )
    command = [sys.executable, "-P", "-c", script]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "Run one benchmark on this machine" in told


@pytest.mark.parametrize("arguments", [("bench",), ("bench", "rate"), ("bench", "--help")])
def test_without_a_clone_it_says_that_they_are_in_one(
    typed: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    installed = tmp_path / "lib" / "python3.12" / "site-packages" / "lakeproof" / "__init__.py"
    monkeypatch.setattr(lakeproof, "__file__", str(installed))
    with pytest.raises(InvalidInput, match=r"not installed with Lakeproof.*Next: clone the repository") as refused:
        typed(*arguments)
    assert refused.value.where == str(tmp_path / "lib" / "python3.12" / "benchmarks")


def test_the_installed_package_alone_lists_the_command_and_refuses_it(tmp_path: Path) -> None:
    """As a wheel has it: src/lakeproof in a folder of libraries."""
    libraries = tmp_path / "lib" / "python3.12" / "site-packages"
    shutil.copytree(
        CLONE / "src" / "lakeproof", libraries / "lakeproof", ignore=shutil.ignore_patterns("__pycache__")
    )
    script = f"import sys\nsys.path.insert(0, {str(libraries)!r})\nfrom lakeproof.cli.app import main\nmain()"
    command = [sys.executable, "-P", "-B", "-c", script]
    helped = subprocess.run(
        [*command, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert "Run one benchmark" in helped.stdout
    refused = subprocess.run(
        [*command, "bench"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 2
    assert "the benchmarks are not installed with Lakeproof" in refused.stderr
