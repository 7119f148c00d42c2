"""Which Go compiles what is compiled from Go modules."""

from pathlib import Path

import pytest

from lakeproof.install import golang
from lakeproof.install.golang import OLDEST, system_go
from lakeproof.install.recipe import clone_dir


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("go1.26.5", True),
        ("go1.27.0", True),
        ("go1.26.4", False),
        ("go1.26", False),
        ("go1.25.9", False),
        ("", False),
    ],
)
def test_a_go_is_taken_by_its_whole_version(
    version: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "go"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert system_go() == (program if fits else None)


@pytest.mark.parametrize("script", ["#!/bin/sh\nexec sleep 60\n", "#!/nowhere\n"], ids=["hangs", "cannot be run"])
def test_a_go_that_cannot_be_asked_is_passed_over(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "go").write_text(script)
    (tmp_path / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(golang, "ASK_SECONDS", 0.2)
    assert system_go() is None


def test_what_is_new_enough_is_what_the_modules_ask_for() -> None:
    asked = [
        line.split()[1]
        for path in clone_dir().glob("third_party/*/go.mod")
        for line in path.read_text().splitlines()
        if line.startswith("go ")
    ]
    assert max(tuple(int(part) for part in version.split(".")) for version in asked) == OLDEST
