"""Compiles a Go program from a folder's go.mod, go.sum and Go files. Go checks each module by go.sum's checksums."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lakeproof.install import artifacts
from lakeproof.install.cache import go_dir
from lakeproof.install.program import ProgramFailed, run
from lakeproof.install.recipe import GoStep
from lakeproof.install.workplace import Amount, Workplace

# The `go` line of victorialogs' go.mod, the newest among the programs that are compiled; the artifact `go` is newer.
OLDEST = (1, 26, 5)
ASK_SECONDS = 30.0


def compile_program(step: GoStep, place: Workplace) -> None:
    """Leave the program at the step's place in the artifact.

    Raises: ProgramFailed when the module proxy or the compiler refuses twice.
    """
    work = place.folder / ".work"
    work.mkdir()
    for path in (*place.recipe.folder.glob("go.*"), *place.recipe.folder.glob("*.go")):
        shutil.copy2(path, work / path.name)
    target = place.folder / step.into
    target.parent.mkdir(parents=True, exist_ok=True)
    log_start = place.log.stat().st_size if place.log.exists() else 0

    def packages_done() -> Amount:
        with place.log.open("rb") as stream:
            stream.seek(log_start)
            return Amount(stream.read().count(b"\n"), 0, "modules and packages")

    quickly = [f"-gcflags={packages}=-N -l" for packages in step.unoptimized]
    flags = ["-v", "-trimpath", "-ldflags=-s -w", *quickly]
    command: list[str | Path] = [find_go(), "build", *flags, "-o", target, step.package]
    place.say(f"compiling {step.package}")
    with place.watched(packages_done):
        try:
            run(command, log=place.log, stop=place.stop, cwd=work, env=_environment(place))
        except ProgramFailed as failed:
            if place.offline:
                raise
            place.say(f"go failed ({failed.output[:160]}); its module cache is emptied and it is run once more")
            run([find_go(), "clean", "-modcache"], log=place.log, stop=place.stop, cwd=work, env=_environment(place))
            run(command, log=place.log, stop=place.stop, cwd=work, env=_environment(place))
    if place.relock:
        for name in ("go.mod", "go.sum"):
            shutil.copy2(work / name, place.recipe.folder / name)
    shutil.rmtree(work)


def find_go() -> Path:
    """The go program: the machine's when new enough, else the artifact `go`.

    Raises: MissingArtifact when neither is there.
    """
    return system_go() or artifacts.path("go") / "bin" / "go"


def system_go(oldest: Sequence[int] = OLDEST) -> Path | None:
    """The machine's own go when its version is at least `oldest`. A go that cannot be asked does not fit."""
    program = shutil.which("go")
    if program is None:
        return None
    command = [program, "env", "GOVERSION"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    fits = version is not None and [int(part or 0) for part in version.groups()] >= list(oldest)
    return Path(program) if fits else None


def _environment(place: Workplace) -> dict[str, str]:
    """Our own caches (removable: -modcacherw), no C compiler, no other toolchain fetched behind our back."""
    mode = "mod" if place.relock else "readonly"
    environment = {
        "GOMODCACHE": str(go_dir() / "mod"),
        "GOCACHE": str(go_dir() / "build"),
        "GOFLAGS": f"-mod={mode} -modcacherw -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOWORK": "off",
    }
    if place.offline:
        environment["GOPROXY"] = "off"
    if "HOME" not in os.environ:
        environment["GOPATH"] = str(go_dir())
    return environment
