"""Small things made on the spot: classes by javac, and a jar with one service file."""

import zipfile
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.install.java import find_vector_jdk
from lakeproof.install.program import run
from lakeproof.install.recipe import JavacStep, ServiceJarStep
from lakeproof.install.workplace import Workplace

_EPOCH = (1980, 1, 1, 0, 0, 0)


def compile_classes(step: JavacStep, place: Workplace) -> None:
    """Compile a source folder of the clone into the artifact.

    Raises: ProgramFailed for an error in the source; TerminalError when the JDK has no compiler.
    """
    jdk = find_vector_jdk()
    if not jdk.has_compiler:
        raise TerminalError(
            f"{jdk.home} has no javac", where="set-up", next_action="install the JDK, not only its runtime"
        )
    sources = sorted((place.recipe.root / step.sources).rglob("*.java"))
    target = place.folder / step.into
    target.mkdir(parents=True, exist_ok=True)
    place.say(f"compiling {step.sources}")
    run(
        [jdk.home / "bin" / "javac", "--release", str(step.release), "-proc:none", "-d", target,
         "-cp", f"{place.folder / step.class_path}/*", *sources],
        log=place.log,
        stop=place.stop,
    )  # fmt: skip


def write_service_jar(step: ServiceJarStep, place: Workplace) -> None:
    """Write a jar that only names a provider; the same bytes each time."""
    path: Path = place.folder / step.into
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr(zipfile.ZipInfo(f"META-INF/services/{step.service}", _EPOCH), f"{step.provider}\n")
