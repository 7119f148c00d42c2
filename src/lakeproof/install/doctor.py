"""Everything that this machine must have: found, or how to get it. Other packages add checks of their own.

A check is a function without arguments that gives Findings; `add_check` puts it on the list that doctor goes
through. (The stack's own checks look at the ports and the memory of a running stack.)
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from lakeproof.errors import InvalidInput, MissingArtifact
from lakeproof.install import artifacts, golang, java
from lakeproof.install.cache import cache_dir
from lakeproof.install.plan import wanted_recipes
from lakeproof.install.recipe import clone_dir, load_recipes
from lakeproof.install.store import faults_of

NEEDED_MEMORY_GIB = 8
NEEDED_FREE_GB = 10
OLDEST_PYTHON = (3, 12)


class State(StrEnum):
    """How a requirement stands. Only `missing` makes doctor fail."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One requirement: what it is, how it stands, what was seen, and the command that mends it."""

    name: str
    state: State
    seen: str
    get_it: str = ""


type Check = Callable[[], Iterator[Finding]]

_checks: list[Check] = []


def add_check(check: Check) -> Check:
    """Have doctor run `check` too; usable as a decorator."""
    _checks.append(check)
    return check


def examine() -> list[Finding]:
    """Run every check, in the order in which they were added."""
    return [finding for check in _checks for finding in check()]


@add_check
def python() -> Iterator[Finding]:
    """The Python that runs Lakeproof."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    fits = sys.version_info >= OLDEST_PYTHON
    yield Finding("Python >= 3.12", State.OK if fits else State.MISSING, version, "" if fits else "make setup")


@add_check
def javas() -> Iterator[Finding]:
    """Java 17 for the older engines, a JDK with the Vector API for Trino and Nessie."""
    try:
        seventeen = str(java.find_java_17())
    except MissingArtifact:
        seventeen = ""
    yield Finding(
        "Java 17",
        State.OK if seventeen else State.MISSING,
        seventeen or "none",
        "" if seventeen else "lakeproof setup",
    )
    try:
        jdk = java.find_vector_jdk()
    except java.NoJava as error:
        yield Finding("JDK >= 24 with the Vector API", State.MISSING, "none", error.next_action)
    else:
        state = State.OK if jdk.has_compiler else State.MISSING
        mend = "" if jdk.has_compiler else "install the JDK, not only its runtime: javac is needed"
        yield Finding("JDK >= 24 with the Vector API", state, f"{jdk.release} in {jdk.home}", mend)


@add_check
def go() -> Iterator[Finding]:
    """A Go toolchain, only needed while versitygw or VictoriaLogs is to be compiled."""
    program = golang.system_go()
    seen = str(program) if program else "none new enough; PyPI's is used"
    yield Finding(f"Go >= {'.'.join(map(str, golang.OLDEST))}", State.OK, seen)


@add_check
def programs() -> Iterator[Finding]:
    """Programs that apt brings, by the table that bootstrap.sh installs from."""
    for name, package in packaged_programs(clone_dir() / "third_party" / "apt.tsv"):
        found = find_program(name)
        mend = "" if found else f"make setup, or: apt-get install {package}"
        yield Finding(name, State.OK if found else State.MISSING, str(found or "none"), mend)


@add_check
def fetched() -> Iterator[Finding]:
    """Artifacts in the cache, by presence and size (`lakeproof setup --verify` reads every byte)."""
    recipes = load_recipes()
    for recipe in wanted_recipes(recipes, [name for name, one in recipes.items() if one.on_request]):
        directory = artifacts.directory_of(recipe)
        faults = faults_of(directory)
        seen = f"whole: {directory.name}" if not faults else faults[0]
        if faults and recipe.on_request:
            seen = "not there, and only needed by who asks for it"
        yield Finding(
            f"{recipe.name} {recipe.version}",
            State.MISSING if faults and not recipe.on_request else State.OK,
            seen,
            f"lakeproof setup --only {recipe.name}" if faults else "",
        )


@add_check
def machine() -> Iterator[Finding]:
    """Memory, and disk where the cache lies."""
    gib = psutil.virtual_memory().total / 2**30
    yield Finding(
        f"memory >= {NEEDED_MEMORY_GIB} GiB",
        State.OK if gib >= NEEDED_MEMORY_GIB * 0.95 else State.WARNING,
        f"{gib:.1f} GiB",
        "" if gib >= NEEDED_MEMORY_GIB * 0.95 else "a larger machine; engines may be killed for memory on this one",
    )
    place = nearest_folder(cache_dir())
    free_gb = shutil.disk_usage(place).free / 1e9
    enough = free_gb >= NEEDED_FREE_GB
    yield Finding(
        f"free disk >= {NEEDED_FREE_GB} GB",
        State.OK if enough else State.WARNING,
        f"{free_gb:.0f} GB in {place}",
        "" if enough else "make room, or set LAKEPROOF_CACHE and LAKEPROOF_STATE_DIR to a larger disk",
    )


def packaged_programs(table: Path) -> list[tuple[str, str]]:
    """Program and package of each line of apt.tsv.

    Raises: InvalidInput for a line without four fields.
    """
    found = []
    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 4:
            raise InvalidInput(f"line {number} is not program, package, MB, reason", where=str(table))
        found.append((fields[0], fields[1]))
    return found


def find_program(name: str) -> Path | None:
    """A program on PATH or in the system's folders, which an ordinary user's PATH leaves out."""
    postgresql = (str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin"))  # one for each version
    extra = os.pathsep.join(["/usr/sbin", "/sbin", "/usr/local/sbin", *postgresql])
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + os.pathsep + extra)
    return Path(found) if found else None


def nearest_folder(path: Path) -> Path:
    """The path itself when it exists, else its nearest parent that does."""
    return path if path.exists() else nearest_folder(path.parent)
