"""Fetches jars through Maven into a local repository of the cache, and heals a half-finished one.

Maven trusts what lies in its local repository: a jar cut off by a kill stays cut off for ever. So every jar is
held against the lock (or, while the lock is being written, opened as a zip), and a bad entry is fetched once more.
"""

import re
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.install.cache import maven_dir
from lakeproof.install.java import find_vector_jdk
from lakeproof.install.lock import LockedFile, sha256_of
from lakeproof.install.program import ProgramFailed, run
from lakeproof.install.recipe import MavenBuildStep, MavenStep, source_files
from lakeproof.install.store import place_file
from lakeproof.install.workplace import Amount, Workplace, bytes_under

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"


def fetch_jars(step: MavenStep, place: Workplace) -> None:
    """Lay the step's jars in the artifact and note them for the lock.

    Raises: ProgramFailed when Maven fails twice; TerminalError when Maven lists no jar, or a jar that is to be locked
    is broken. A jar that is not as locked after the second fetch is not noticed here, but when the build compares
    what came with the lock.
    """
    try:
        jars = _resolve(step, place)
        bad = [jar for jar in jars if not _is_sound(_target(step, jar), jar, place)]
    except ProgramFailed as failed:
        if place.offline:
            raise
        place.say(f"Maven failed ({failed.output[:160]}); its unfinished entries are removed and fetched again")
        sweep(maven_dir(place.recipe.name))
        bad = []
        jars = _resolve(step, place)
    if bad:
        for jar in bad:
            place.say(f"{jar.name} in the cache is broken or not as locked; it is removed and fetched again")
            shutil.rmtree(jar.parent)
        jars = _resolve(step, place)
    repository = maven_dir(place.recipe.name)
    for jar in jars:
        if place.relock and not _opens(jar):
            raise TerminalError(
                f"{jar.name} came broken, and is not locked", where=str(jar), next_action="run the same set-up again"
            )
        target = _target(step, jar)
        place_file(jar, place.folder / target)
        size, digest = jar.stat().st_size, sha256_of(jar)
        place.received(LockedFile(target, digest, size, coordinates_of(jar, repository)))


def build_package(step: MavenBuildStep, place: Workplace, properties: Iterable[str]) -> None:
    """Run `mvn package` on a copy of the sources (the clone stays clean), and keep the file that the step takes."""
    work = place.folder / ".work"
    sources = place.recipe.root / step.sources
    for source in source_files(sources):
        copy = work / source.relative_to(sources)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy)
    place.say(f"compiling {step.sources} with Maven")
    command = ["-f", str(work / "pom.xml"), "-DskipTests", *properties, "package"]
    try:
        _maven(command, place)
    except ProgramFailed as failed:
        if place.offline or "COMPILATION ERROR" in failed.output:
            raise
        place.say("Maven failed; unfinished entries of its repository are removed and it is run again")
        sweep(maven_dir(place.recipe.name))
        _maven(command, place)
    made = work / step.takes
    if not made.is_file():
        raise TerminalError(f"mvn package left no {step.takes}", where=step.sources)
    place_file(made, place.folder / step.into)
    shutil.rmtree(work)


def sweep(repository: Path) -> list[Path]:
    """Remove what an interrupted or refused download left in a local repository; gives what was removed."""
    removed = []
    for path in list(repository.rglob("*")):
        unfinished = path.suffix in {".part", ".tmp", ".lock"} or path.name.endswith(".lastUpdated")
        garbled = (path.suffix == ".jar" and not _opens(path)) or (path.suffix == ".pom" and not _ends(path))
        if path.is_file() and (unfinished or garbled):
            path.unlink()
            removed.append(path)
    return removed


def coordinates_of(jar: Path, repository: Path) -> str:
    """`group:artifact:version[:classifier]` of a jar by its place in a repository layout."""
    version, artifact = jar.parent.name, jar.parent.parent.name
    group = ".".join(jar.parent.parent.parent.relative_to(repository).parts)
    rest = jar.stem.removeprefix(f"{artifact}-{version}").lstrip("-")
    return ":".join([group, artifact, version, *([rest] if rest else [])])


def _resolve(step: MavenStep, place: Workplace) -> list[Path]:
    """Have Maven fetch what the pom needs; gives the jars in its local repository, in a fixed order."""
    repository = maven_dir(place.recipe.name)
    listing = place.folder / ".resolved"
    prefix = step.into.rstrip("/") + "/" if step.into != "." else ""
    expected = sum(file.size for path, file in place.locked.items() if path.startswith(prefix))
    place.say(f"fetching {step.pom} with Maven")
    with place.watched(_amount_under(repository, expected)):
        _maven(
            ["-f", str(place.recipe.folder / step.pom), f"{PLUGIN}:list", "-DincludeScope=runtime",
             f"-DoutputFile={listing}", "-DoutputAbsoluteArtifactFilename=true", "-Dmdep.outputScope=false"],
            place,
        )  # fmt: skip
    jars = []
    for line in listing.read_text(encoding="utf-8").splitlines():
        if found := re.search(r":(/.+?\.jar)(?:\s+-- .*)?$", re.sub(r"\x1b\[[0-9;]*m", "", line)):
            jars.append(Path(found.group(1)))
    listing.unlink()
    if not jars:
        raise TerminalError("Maven listed no jar", where=f"third_party/{place.recipe.name}/{step.pom}")
    return sorted(jar for jar in jars if ":".join(coordinates_of(jar, repository).split(":")[:2]) not in step.minus)


def _amount_under(repository: Path, expected: int) -> Callable[[], Amount]:
    """Bytes of jars that came; while none come, how many poms Maven has read (for Trino it reads 600)."""
    last = 0

    def look() -> Amount:
        nonlocal last
        came = bytes_under(repository, (".jar",))
        moved, last = came != last, came
        if moved or (expected and came >= expected):
            return Amount(min(came, expected or came), expected, "MB")
        return Amount(sum(1 for _ in repository.rglob("*.pom")), 0, "poms read")

    return look


def _maven(arguments: list[str], place: Workplace) -> None:
    offline = ["-o"] if place.offline else []
    run(
        [
            find_maven(),
            "-B",
            "-ntp",
            "-C",
            *offline,
            f"-Dmaven.repo.local={maven_dir(place.recipe.name)}",
            *arguments,
        ],
        log=place.log,
        stop=place.stop,
        env={"JAVA_HOME": str(find_vector_jdk().home)},
    )


def find_maven() -> Path:
    """The mvn program.

    Raises: TerminalError when there is none.
    """
    program = shutil.which("mvn")
    if program is None:
        raise TerminalError("Maven is not installed", where="set-up", next_action="apt-get install maven")
    return Path(program)


def _target(step: MavenStep, jar: Path) -> str:
    name = step.single_file or jar.name
    return name if step.into == "." else f"{step.into}/{name}"


def _is_sound(target: str, jar: Path, place: Workplace) -> bool:
    locked = place.locked.get(target)
    if place.relock or locked is None:
        return _opens(jar)
    return sha256_of(jar) == locked.sha256


def _opens(jar: Path) -> bool:
    try:
        with zipfile.ZipFile(jar):
            return True
    except (OSError, zipfile.BadZipFile):
        return False


def _ends(pom: Path) -> bool:
    return b"</project>" in pom.read_bytes()
