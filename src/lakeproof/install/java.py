"""Finds the Java runtimes that the engines need, wherever the machine keeps them. Standard library only.

Java 17 runs Kafka, Connect, Flink and Cassandra (neither is made for newer ones); a system's own is preferred, for
it gets security fixes, and the artifact jdk17 stands in where there is none. Java 24 or newer with the module
jdk.incubator.vector runs Trino and Nessie; it must be the system's: the one on PyPI lacks that module.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.install import artifacts

VECTOR_MODULE = "jdk.incubator.vector"
VECTOR_RELEASE = 24
ASK_SECONDS = 30.0
_PLACES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/*jdk*",
    "/opt/java/*",
    "~/.jdks/*",
    "~/.sdkman/candidates/java/*",
)


@dataclass(frozen=True)
class Java:
    """One Java home that was found: its release (17, 25, …), its modules, and whether it has a compiler."""

    home: Path
    release: int
    modules: frozenset[str]
    has_compiler: bool

    @property
    def program(self) -> Path:
        """The java binary."""
        return self.home / "bin" / "java"


class NoJava(TerminalError):
    """No Java of the kind asked for is on this machine."""


def find_java_17() -> Path:
    """The java binary of exactly that release: the system's first, else the artifact `jdk17`.

    Raises: MissingArtifact where neither is there (`lakeproof setup` brings it).
    """
    for java in system_javas():
        if java.release == 17:
            return java.program
    return artifacts.path("jdk17") / "bin" / "java"


def find_vector_jdk() -> Java:
    """A full JDK >= 24 that has the Vector API module. One that can compile comes before one that cannot, and 25, the
    tested one, before others.

    Raises: NoJava when there is none.
    """
    fit = [java for java in system_javas() if java.release >= VECTOR_RELEASE and VECTOR_MODULE in java.modules]
    if not fit:
        raise NoJava(
            f"no JDK >= {VECTOR_RELEASE} with the module {VECTOR_MODULE} found (Trino and Nessie need it)",
            where=f"JAVA_HOME, PATH, {', '.join(_PLACES)}",
            next_action="Debian 13: apt-get install openjdk-25-jdk-headless; "
            "elsewhere unpack an Eclipse Temurin 25 JDK and set JAVA_HOME to it",
        )
    return min(fit, key=lambda java: (not java.has_compiler, java.release != 25))


def system_javas() -> list[Java]:
    """Every Java home on this machine, each once: JAVA_HOME, then PATH, then the usual folders."""
    found: dict[Path, Java] = {}
    for home in _homes():
        real = home.resolve()
        if real not in found and (java := look_at(real)) is not None:
            found[real] = java
    return list(found.values())


def has_java_17() -> bool:
    """True when the system itself has a Java 17."""
    return any(java.release == 17 for java in system_javas())


def look_at(home: Path) -> Java | None:
    """The Java in that folder, by its `release` file, else by asking its java.

    None when it is no Java home. A java that cannot be asked has no release and no modules, so it is not taken.
    """
    program = home / "bin" / "java"
    if not os.access(program, os.X_OK):
        return None
    release_file = home / "release"
    text = release_file.read_text(encoding="utf-8", errors="replace") if release_file.is_file() else ""
    version = re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE)
    modules = re.search(r'^MODULES="([^"]*)"', text, re.MULTILINE)
    names = frozenset(modules.group(1).split()) if modules else _ask_modules(program)
    number = int(version.group(1)) if version else _ask_release(program)
    return None if number is None else Java(home, number, names, (home / "bin" / "javac").exists())


def _homes() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home)
    if program := shutil.which("java"):
        yield Path(program).resolve().parent.parent
    for pattern in _PLACES:
        place = Path(pattern).expanduser()
        if place.parent.is_dir():
            yield from sorted(place.parent.glob(place.name))


def _ask_release(program: Path) -> int | None:
    """The release by `java -version`, for a home without a release file."""
    version = re.search(r'version "(?:1\.)?(\d+)', _ask(program, "-version"))
    return int(version.group(1)) if version else None


def _ask_modules(program: Path) -> frozenset[str]:
    return frozenset(line.split("@")[0] for line in _ask(program, "--list-modules").split())


def _ask(program: Path, option: str) -> str:
    """What java prints; "" where it cannot be run or hangs."""
    try:
        done = subprocess.run([program, option], capture_output=True, text=True, check=False, timeout=ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr + done.stdout
