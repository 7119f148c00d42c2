"""One artifact: built once, left alone, built again when broken; never half there."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakeproof.errors import MissingArtifact, TerminalError
from lakeproof.install import artifacts, store
from lakeproof.install.build import Built, Options, Outcome, build, check_disk

from .conftest import SERVICE_STEP, HeardProgress, MakeRecipe


def test_an_absent_artifact_is_built_and_then_left_alone(
    make_recipe: MakeRecipe, heard: HeardProgress, never: threading.Event
) -> None:
    recipe = make_recipe()
    assert build(recipe, Options(), heard, never).outcome is Outcome.BUILT
    assert build(recipe, Options(), heard, never).outcome is Outcome.PRESENT
    assert (artifacts.directory_of(recipe) / "lib" / "service.jar").is_file()


def test_a_broken_artifact_heals_and_says_so(
    make_recipe: MakeRecipe, heard: HeardProgress, never: threading.Event
) -> None:
    recipe = make_recipe()
    build(recipe, Options(), heard, never)
    (artifacts.directory_of(recipe) / "lib" / "service.jar").write_bytes(b"cut")
    assert build(recipe, Options(), heard, never).outcome is Outcome.REPAIRED
    assert any("broken in the cache" in line for line in heard.lines)
    assert store.faults_of(artifacts.directory_of(recipe), verify=True) == []


def test_an_artifact_without_its_marker_is_built_again(
    make_recipe: MakeRecipe, heard: HeardProgress, never: threading.Event
) -> None:
    recipe = make_recipe()
    build(recipe, Options(), heard, never)
    (artifacts.directory_of(recipe) / store.MARKER).unlink()
    assert build(recipe, Options(), heard, never).outcome is Outcome.BUILT


def test_two_set_ups_at_once_build_it_once(make_recipe: MakeRecipe, never: threading.Event) -> None:
    recipe = make_recipe()
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(build, recipe, Options(), HeardProgress(), never) for _ in range(4)]
        done: list[Built] = [job.result() for job in jobs]
    assert sorted(built.outcome for built in done) == ["built", "present", "present", "present"]


def test_a_disk_that_refuses_is_said_and_nothing_is_left(
    make_recipe: MakeRecipe, heard: HeardProgress, never: threading.Event, cache: Path
) -> None:
    failing = SERVICE_STEP + SERVICE_STEP.replace("lib/service.jar", "lib/service.jar/below-a-file")
    recipe = make_recipe(steps=failing)
    with pytest.raises(TerminalError, match=r"set-up of thing.*look at the disk"):
        build(recipe, Options(), heard, never)
    assert list((cache / "artifacts" / "thing").iterdir()) == []


def test_a_lock_that_says_otherwise_is_refused_and_nothing_is_kept(
    make_recipe: MakeRecipe, heard: HeardProgress, never: threading.Event, cache: Path
) -> None:
    recipe = make_recipe()
    recipe.lock_file.write_text(f"{'0' * 64}\t10\tlibs/a.jar\tg:a:1\n")
    with pytest.raises(TerminalError, match=r"libs/a\.jar did not come.*--relock"):
        build(recipe, Options(), heard, never)
    assert list((cache / "artifacts" / "thing").iterdir()) == []


def test_a_disk_too_small_is_said_before_anything_is_fetched(make_recipe: MakeRecipe) -> None:
    with pytest.raises(TerminalError, match=r"MB are free and 900000000 MB are needed.*LAKEPROOF_CACHE"):
        check_disk([make_recipe(disk_mb="900000000")])


def test_the_path_of_an_artifact_that_is_not_installed_names_the_command() -> None:
    with pytest.raises(MissingArtifact, match="lakeproof setup"):
        artifacts.path("kafka")
