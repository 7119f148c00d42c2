"""Maven as a fake of a few lines: what comes is held against the lock, and a broken entry is fetched once more."""

import hashlib
import io
import threading
import zipfile
from pathlib import Path

import pytest

from lakeproof.errors import TerminalError
from lakeproof.install import artifacts, java
from lakeproof.install.build import Options, Outcome, build
from lakeproof.install.lock import LockMismatch, read_lock
from lakeproof.install.maven import coordinates_of, sweep
from lakeproof.install.recipe import Recipe

from .conftest import HeardProgress, MakeProgram, MakeRecipe

MAVEN_STEP = """
[[step]]
uses = "maven"
pom = "pom.xml"
into = "libs"
minus = ["org.unwanted:b"]
"""

# Keeps what is in its repository, fetches what is not: as Maven does. It also notes each call.
FAKE_MAVEN = """
for word in "$@"; do
    case $word in
        -Dmaven.repo.local=*) repository=${word#*=} ;;
        -DoutputFile=*) listing=${word#*=} ;;
    esac
done
echo call >>REMOTE/calls
[ ! -e REMOTE/refuses ] || { rm REMOTE/refuses; echo "[ERROR] zip END header not found"; exit 1; }
for jar in org/wanted/a/1.0/a-1.0.jar org/unwanted/b/2.0/b-2.0.jar; do
    mkdir -p "$(dirname "$repository/$jar")"
    [ -e "$repository/$jar" ] || cp REMOTE/$(basename $jar) "$repository/$jar"
    echo "   org.x:y:jar:1.0:compile:$repository/$jar -- module y (auto)" >>"$listing"
done
"""


def jar_bytes(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as jar:
        jar.writestr(zipfile.ZipInfo("entry"), text)
    return content.getvalue()


@pytest.fixture
def remote(tmp_path: Path, make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the fake Maven can fetch."""
    folder = tmp_path / "remote"
    folder.mkdir()
    (folder / "a-1.0.jar").write_bytes(jar_bytes("a"))
    (folder / "b-2.0.jar").write_bytes(jar_bytes("b"))
    make_program("mvn", FAKE_MAVEN.replace("REMOTE", str(folder)))
    monkeypatch.setattr("lakeproof.install.maven.find_vector_jdk", lambda: java.Java(tmp_path, 25, frozenset(), True))
    return folder


@pytest.fixture
def recipe(make_recipe: MakeRecipe) -> Recipe:
    recipe = make_recipe(steps=MAVEN_STEP)
    (recipe.folder / "pom.xml").write_text("<project/>")
    content = jar_bytes("a")
    digest = hashlib.sha256(content).hexdigest()
    recipe.lock_file.write_text(f"{digest}\t{len(content)}\tlibs/a-1.0.jar\torg.wanted:a:1.0\n")
    return recipe


def calls(remote: Path) -> int:
    return len((remote / "calls").read_text().split())


def test_wanted_jars_are_laid_flat_and_unwanted_ones_left_out(
    recipe: Recipe, remote: Path, heard: HeardProgress, never: threading.Event
) -> None:
    build(recipe, Options(), heard, never)
    assert [path.name for path in (artifacts.directory_of(recipe) / "libs").iterdir()] == ["a-1.0.jar"]


def test_a_cut_off_jar_in_mavens_repository_is_fetched_once_more(
    recipe: Recipe, remote: Path, heard: HeardProgress, never: threading.Event, cache: Path
) -> None:
    entry = cache / "maven" / "thing" / "org" / "wanted" / "a" / "1.0"
    entry.mkdir(parents=True)
    (entry / "a-1.0.jar").write_bytes(jar_bytes("a")[:20])
    assert build(recipe, Options(), heard, never).outcome is Outcome.BUILT
    assert any("a-1.0.jar in the cache is broken" in line for line in heard.lines)
    assert calls(remote) == 2


def test_a_maven_that_fails_once_is_run_once_more_and_it_is_said(
    recipe: Recipe, remote: Path, heard: HeardProgress, never: threading.Event
) -> None:
    (remote / "refuses").touch()
    assert build(recipe, Options(), heard, never).outcome is Outcome.BUILT
    assert any("Maven failed" in line for line in heard.lines)


def test_other_bytes_than_locked_are_refused_after_one_more_try(
    recipe: Recipe, remote: Path, heard: HeardProgress, never: threading.Event
) -> None:
    (remote / "a-1.0.jar").write_bytes(jar_bytes("something else"))
    with pytest.raises(LockMismatch, match=r"libs/a-1\.0\.jar has sha256"):
        build(recipe, Options(), heard, never)
    assert calls(remote) == 2


def test_relock_writes_what_came(recipe: Recipe, remote: Path, heard: HeardProgress, never: threading.Event) -> None:
    (remote / "a-1.0.jar").write_bytes(jar_bytes("a newer one"))
    build(recipe, Options(relock=True), heard, never)
    locked = read_lock(recipe.lock_file)["libs/a-1.0.jar"]
    assert locked.sha256 == hashlib.sha256(jar_bytes("a newer one")).hexdigest()
    assert locked.coordinates == "org.wanted:a:1.0"
    assert build(recipe, Options(), heard, never).outcome is Outcome.PRESENT


def test_relock_refuses_a_jar_that_comes_broken_again(
    recipe: Recipe, remote: Path, heard: HeardProgress, never: threading.Event
) -> None:
    (remote / "a-1.0.jar").write_bytes(jar_bytes("a newer one")[:20])
    before = recipe.lock_file.read_text()
    with pytest.raises(TerminalError, match=r"a-1\.0\.jar came broken"):
        build(recipe, Options(relock=True), heard, never)
    assert recipe.lock_file.read_text() == before


def test_without_maven_the_package_is_named(
    recipe: Recipe, heard: HeardProgress, never: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TerminalError, match="apt-get install maven"):
        build(recipe, Options(), heard, never)


def test_sweeping_takes_unfinished_and_garbled_files_only(tmp_path: Path) -> None:
    keep = {"a.jar": jar_bytes("a"), "a.pom": b"<project></project>", "a.jar.sha1": b"00"}
    take = {"b.jar": b"PK\x03\x04cut", "b.pom": b"<project>", "c.jar.lastUpdated": b"", "d.jar.part": b"x"}
    for name, content in (keep | take).items():
        (tmp_path / name).write_bytes(content)
    assert {path.name for path in sweep(tmp_path)} == set(take)


def test_coordinates_come_from_the_place_in_the_repository() -> None:
    jar = Path("/r/org/projectnessie/nessie/nessie-quarkus/0.99.0/nessie-quarkus-0.99.0-runner.jar")
    assert coordinates_of(jar, Path("/r")) == "org.projectnessie.nessie:nessie-quarkus:0.99.0:runner"
