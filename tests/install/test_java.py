"""Java homes: found by their release files, the right one taken, a missing one said with a way to get it."""

from pathlib import Path

import pytest

from lakeproof.errors import MissingArtifact
from lakeproof.install import java


def make_home(folder: Path, version: str, modules: str = "java.base", *, compiler: bool = True) -> Path:
    (folder / "bin").mkdir(parents=True)
    for name in ["java", "javac"] if compiler else ["java"]:
        (folder / "bin" / name).write_text("#!/bin/sh\n")
        (folder / "bin" / name).chmod(0o755)
    (folder / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return folder


@pytest.fixture(autouse=True)
def no_other_javas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only homes under tmp_path/jvm exist."""
    monkeypatch.setattr(java, "_PLACES", (str(tmp_path / "jvm" / "*"),))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)


def test_a_system_java_17_is_taken_and_a_newer_one_is_not(tmp_path: Path) -> None:
    make_home(tmp_path / "jvm" / "a-25", "25.0.3")
    wanted = make_home(tmp_path / "jvm" / "b-17", "17.0.15")
    assert java.find_java_17() == wanted / "bin" / "java"


def test_java_home_comes_before_the_usual_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_home(tmp_path / "jvm" / "17", "17.0.1")
    mine = make_home(tmp_path / "mine", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(mine))
    assert java.find_java_17() == mine / "bin" / "java"


def test_without_any_java_17_set_up_is_named() -> None:
    with pytest.raises(MissingArtifact, match="lakeproof setup"):
        java.find_java_17()


def test_a_jdk_without_the_vector_module_does_not_do(tmp_path: Path) -> None:
    make_home(tmp_path / "jvm" / "25", "25.0.2", "java.base java.sql")
    with pytest.raises(java.NoJava, match=r"jdk\.incubator\.vector.*JAVA_HOME"):
        java.find_vector_jdk()


def test_a_jdk_that_is_too_old_does_not_do_although_it_has_the_module(tmp_path: Path) -> None:
    make_home(tmp_path / "jvm" / "21", "21.0.7", f"java.base {java.VECTOR_MODULE}")
    make_home(tmp_path / "jvm" / "23", "23.0.2", f"java.base {java.VECTOR_MODULE}")
    with pytest.raises(java.NoJava, match="no JDK >= 24"):
        java.find_vector_jdk()
    wanted = make_home(tmp_path / "jvm" / "24", "24", f"java.base {java.VECTOR_MODULE}")
    assert java.find_vector_jdk().program == wanted / "bin" / "java"


def test_the_tested_release_with_a_compiler_is_preferred(tmp_path: Path) -> None:
    modules = f"java.base {java.VECTOR_MODULE}"
    make_home(tmp_path / "jvm" / "a", "26", modules)
    wanted = make_home(tmp_path / "jvm" / "b", "25.0.1", modules)
    make_home(tmp_path / "jvm" / "c", "25.0.3", modules, compiler=False)
    assert java.find_vector_jdk().program == wanted / "bin" / "java"


def test_a_home_without_a_release_file_is_asked(tmp_path: Path) -> None:
    home = make_home(tmp_path / "jvm" / "x", "0")
    (home / "release").unlink()
    (home / "bin" / "java").write_text(
        "#!/bin/sh\n"
        "case $1 in -version) echo 'openjdk version \"25.0.1\" 2026' >&2 ;; "
        "*) echo java.base@25; echo jdk.incubator.vector@25 ;; esac\n"
    )
    found = java.look_at(home)
    assert found is not None
    assert (found.release, found.modules) == (25, frozenset({"java.base", java.VECTOR_MODULE}))


@pytest.mark.parametrize(
    "script", ["#!/bin/sh\nexec /bin/sleep 60\n", "#!/nowhere\n"], ids=["hangs", "cannot be run"]
)
def test_a_java_that_cannot_be_asked_is_passed_over(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(tmp_path / "jvm" / "x", "0")
    (home / "release").unlink()
    (home / "bin" / "java").write_text(script)
    monkeypatch.setattr(java, "ASK_SECONDS", 0.2)
    assert java.look_at(home) is None


def test_a_folder_without_java_is_none(tmp_path: Path) -> None:
    assert java.look_at(tmp_path) is None
