"""Makes one artifact: its steps in an unfinished folder, the lock compared, then one rename."""

import shutil
import threading
import time
from dataclasses import dataclass
from enum import StrEnum

from lakeproof.errors import TerminalError
from lakeproof.install import artifacts, compiler, golang, maven, pypi
from lakeproof.install.cache import cache_dir, hold_artifact
from lakeproof.install.lock import compare, read_lock, write_lock
from lakeproof.install.progress import Progress
from lakeproof.install.recipe import (
    GoStep,
    JavacStep,
    MavenBuildStep,
    MavenStep,
    PypiStep,
    Recipe,
    ServiceJarStep,
    Step,
)
from lakeproof.install.store import faults_of, finish, is_complete, open_unfinished, remove
from lakeproof.install.workplace import Workplace


class Outcome(StrEnum):
    """How an artifact came to be there."""

    PRESENT = "present"
    BUILT = "built"
    REPAIRED = "repaired"


@dataclass(frozen=True)
class Built:
    """One artifact after set-up. `size_bytes` counts its files; `seconds` is what this call took."""

    name: str
    version: str
    outcome: Outcome
    path: str
    size_bytes: int
    seconds: float


@dataclass(frozen=True)
class Options:
    """How to build: `verify` reads every byte, `relock` writes the locks anew, `offline` fetches nothing."""

    verify: bool = False
    relock: bool = False
    offline: bool = False


def build(recipe: Recipe, options: Options, progress: Progress, stop: threading.Event) -> Built:
    """Make sure that the whole artifact is in the cache: build it where it is absent, and again where it is broken.

    Raises: LockMismatch, ProgramFailed, TerminalError (a full or read-only disk too). The cache then holds no half
    of the artifact.
    """
    try:
        return _build(recipe, options, progress, stop)
    except OSError as error:
        raise TerminalError(
            f"{error.strerror or error} ({error.filename or 'no file named'})",
            where=f"set-up of {recipe.name}",
            next_action="look at the disk (df -h, mount), or set LAKEPROOF_CACHE; then run the same set-up again",
        ) from error


def _build(recipe: Recipe, options: Options, progress: Progress, stop: threading.Event) -> Built:
    started = time.monotonic()

    def waiting(holder: str) -> None:
        progress.report(recipe.name, f"{holder} is building it; waiting")

    with hold_artifact(recipe.name, waiting=waiting, stop=stop):
        directory = artifacts.directory_of(recipe)
        present = is_complete(directory)
        faults = faults_of(directory, verify=options.verify) if present else []
        if present and not faults and not options.relock:
            return _built(recipe, Outcome.PRESENT, started)
        if faults:
            progress.report(recipe.name, f"broken in the cache, is built again: {'; '.join(faults[:3])}")
        _make(recipe, options, progress, stop, started)
        return _built(recipe, Outcome.REPAIRED if faults else Outcome.BUILT, started)


def _make(recipe: Recipe, options: Options, progress: Progress, stop: threading.Event, started: float) -> None:
    unfinished = open_unfinished(artifacts.directory_of(recipe))
    place = Workplace(
        recipe, unfinished, read_lock(recipe.lock_file), progress, stop, options.relock, options.offline
    )
    try:
        for step in recipe.steps:
            _run_step(step, place)
        if options.relock and place.came:
            write_lock(recipe.lock_file, place.came.values())
        elif not options.relock:
            compare(recipe.name, place.locked, place.came)
        # --relock may have changed the digest, and with it the folder's name
        finish(unfinished, artifacts.directory_of(recipe), seconds=time.monotonic() - started)
    finally:
        remove(unfinished)


def _run_step(step: Step, place: Workplace) -> None:
    match step:
        case MavenStep():
            maven.fetch_jars(step, place)
        case PypiStep():
            pypi.fetch_archive(step, place)
        case GoStep():
            golang.compile_program(step, place)
        case ServiceJarStep():
            compiler.write_service_jar(step, place)
        case JavacStep():
            compiler.compile_classes(step, place)
        case MavenBuildStep():
            needed = [f"-Dlakeproof.{need}.dir={artifacts.path(need)}" for need in place.recipe.needs]
            maven.build_package(step, place, needed)


def _built(recipe: Recipe, outcome: Outcome, started: float) -> Built:
    directory = artifacts.directory_of(recipe)
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    return Built(recipe.name, recipe.version, outcome, str(directory), size, round(time.monotonic() - started, 1))


def check_disk(recipes: list[Recipe]) -> None:
    """Refuse before the first download when the cache's disk is too small for `recipes`.

    Raises: TerminalError with both figures.
    """
    cache_dir().mkdir(parents=True, exist_ok=True)
    needed_mb = sum(recipe.disk_mb for recipe in recipes)
    free_mb = shutil.disk_usage(cache_dir()).free // 1_000_000
    if free_mb < needed_mb:
        raise TerminalError(
            f"{free_mb} MB are free and {needed_mb} MB are needed",
            where=str(cache_dir()),
            next_action="make room, or set LAKEPROOF_CACHE to a folder on a larger disk",
        )
