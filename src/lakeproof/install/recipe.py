"""How a folder of third_party/ becomes an artifact, read from its artifact.toml.

The folder is the list: a new engine is a new folder, with no edit elsewhere. Standard library only, because the
plan is printed before anything is installed.
"""

import hashlib
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeproof.errors import InvalidInput

RECIPE = "artifact.toml"
LOCK = "lock.tsv"
DIGEST_LENGTH = 12


@dataclass(frozen=True)
class MavenStep:
    """The jars that a pom names and those that they need at run time, laid into folder `into`.

    minus: group:artifact ids that are left out.
    single_file: the pom gives one file, which gets this name.
    """

    pom: str
    into: str
    minus: tuple[str, ...] = ()
    single_file: str | None = None


@dataclass(frozen=True)
class PypiStep:
    """A wheel or source archive of PyPI; `unpack` maps folders in it to folders of the artifact."""

    requirement: str
    archive: str
    unpack: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GoStep:
    """A program compiled from the folder's go.mod, go.sum and Go files.

    unoptimized: patterns of packages that are compiled quickly instead of well, for code that never runs.
    """

    package: str
    into: str
    unoptimized: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServiceJarStep:
    """A jar with one service file, `META-INF/services/SERVICE`, naming `provider`."""

    into: str
    service: str
    provider: str


@dataclass(frozen=True)
class JavacStep:
    """Classes compiled from a source folder of the clone against jars of the artifact itself."""

    sources: str
    class_path: str
    release: int
    into: str


@dataclass(frozen=True)
class MavenBuildStep:
    """`mvn package` on a copy of a source folder of the clone; `takes` is the file to keep, as `into`."""

    sources: str
    takes: str
    into: str


type Step = MavenStep | PypiStep | GoStep | ServiceJarStep | JavacStep | MavenBuildStep


@dataclass(frozen=True)
class Recipe:
    """One artifact.toml, with the folder it was read from. Sizes in megabytes, for the plan; seconds on 2 cores.

    on_request: only built where it is named (`setup --only NAME`).
    unless: what this machine may have instead, as `java-17` (plan.py); the recipe is then not built.
    """

    name: str
    version: str
    what: str
    source: str
    download_mb: int
    disk_mb: int
    seconds: int
    needs: tuple[str, ...]
    unless: str | None
    on_request: bool
    sources: tuple[str, ...]
    steps: tuple[Step, ...]
    folder: Path
    root: Path

    @property
    def lock_file(self) -> Path:
        """The committed list of what this recipe fetches."""
        return self.folder / LOCK

    def digest(self) -> str:
        """First 12 hex digits of a hash of all that decides the content: steps, lock, poms, go.sum, sources.

        A changed description or size estimate changes nothing.

        Raises: InvalidInput when a source folder that the recipe names is not in the clone.
        """
        seen = hashlib.sha256(repr(self.steps).encode())
        for path in self._inputs():
            seen.update(f"{path.relative_to(self.root)}\0".encode())
            seen.update(path.read_bytes())
        return seen.hexdigest()[:DIGEST_LENGTH]

    def directory_name(self) -> str:
        """`VERSION-DIGEST`, the artifact's folder under its name."""
        return f"{self.version}-{self.digest()}"

    def sources_present(self) -> bool:
        """True when every source folder that the recipe names has files in this clone."""
        return all(any(source_files(self.root / source)) for source in self.sources)

    def _inputs(self) -> Iterator[Path]:
        yield from (path for path in source_files(self.folder) if path.name != RECIPE)
        for source in self.sources:
            files = source_files(self.root / source)
            if not files:
                raise InvalidInput(
                    f"the source folder {source} is missing or empty",
                    where=f"third_party/{self.folder.name}/{RECIPE}",
                    next_action="check the clone: git status",
                )
            yield from files


def clone_dir() -> Path:
    """The clone that this package runs from (it is installed in place, never as a wheel)."""
    return Path(__file__).resolve().parents[3]


def load_recipe(folder: Path, root: Path) -> Recipe:
    """Read one folder's artifact.toml.

    Raises: InvalidInput with the file and the key that is wrong.
    """
    path = folder / RECIPE
    where = f"{folder.parent.name}/{folder.name}/{RECIPE}"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput("there is no such artifact", where=where) from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"not valid TOML: {error}", where=where) from error
    try:
        return Recipe(
            name=_text(table, "name"),
            version=_text(table, "version"),
            what=_text(table, "what"),
            source=_text(table, "from"),
            download_mb=int(table["download_mb"]),
            disk_mb=int(table["disk_mb"]),
            seconds=int(table["seconds"]),
            needs=tuple(table.get("needs", ())),
            unless=table.get("unless"),
            on_request=_truth(table, "on_request"),
            sources=tuple(table.get("sources", ())),
            steps=tuple(_step(step) for step in table["step"]),
            folder=folder,
            root=root,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"missing or wrong key: {error}", where=where, next_action="see docs/set-up.md") from error


def load_recipes(root: Path | None = None) -> dict[str, Recipe]:
    """Every recipe of the clone by name, in alphabetical order.

    Raises: InvalidInput for a wrong file, a need that no folder makes, or a folder not named as its artifact.
    """
    root = root or clone_dir()
    recipes: dict[str, Recipe] = {}
    for path in sorted((root / "third_party").glob(f"*/{RECIPE}")):
        recipe = load_recipe(path.parent, root)
        if recipe.name != path.parent.name:
            raise InvalidInput(f"the name {recipe.name!r} is not the folder's", where=str(path.relative_to(root)))
        recipes[recipe.name] = recipe
    for recipe in recipes.values():
        for need in recipe.needs:
            if need not in recipes:
                raise InvalidInput(f"needs {need!r}, which no folder makes", where=f"third_party/{recipe.name}")
    return recipes


def _text(table: dict[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} must be a text")
    return value


def _truth(table: dict[str, Any], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false")
    return value


_STEPS: dict[str, Callable[[dict[str, Any]], Step]] = {
    "maven": lambda t: MavenStep(t["pom"], t["into"], tuple(t.get("minus", ())), t.get("single_file")),
    "pypi": lambda t: PypiStep(t["requirement"], t["archive"], tuple(t["unpack"].items())),
    "go": lambda t: GoStep(t["package"], t["into"], tuple(t.get("unoptimized", ()))),
    "service-jar": lambda t: ServiceJarStep(t["into"], t["service"], t["provider"]),
    "javac": lambda t: JavacStep(t["sources"], t["class_path"], int(t["release"]), t["into"]),
    "maven-build": lambda t: MavenBuildStep(t["sources"], t["takes"], t["into"]),
}


def _step(table: dict[str, Any]) -> Step:
    kind = table["uses"]
    if kind not in _STEPS:
        raise ValueError(f"uses = {kind!r} is none of {', '.join(sorted(_STEPS))}")
    return _STEPS[kind](table)


def source_files(folder: Path) -> list[Path]:
    """Files of a source folder that an artifact is made from, in a fixed order.

    Left out are the files that builds and editors leave there, and src/test: an edited test must not build the jar
    anew.
    """
    found = []
    for path in folder.rglob("*"):
        inner = path.relative_to(folder).parts
        left_out = inner[:2] == ("src", "test") or any(part.startswith(".") or part == "target" for part in inner)
        if path.is_file() and not left_out:
            found.append(path)
    return sorted(found)
