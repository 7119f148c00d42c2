"""Loading modules where the folder is the list: no registry is kept by hand.

A package's modules are imported by name; a scenario's folder outside the package is loaded by path.
"""

import ast
import hashlib
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

from lakeproof.errors import InvalidInput

OWN_SCENARIOS = Path(__file__).parents[1] / "lakeproof_shop" / "scenarios"
# The room whose rules hold for a file of a scenario's folder, where the two names differ.
SIBLINGS = {"repairs": "mitigations"}
# import-linter (pyproject.toml) does not see scenario folders outside this package, so `scenario_module` holds them
# to the same rules. It looks only at the imports that the file itself writes, so the rooms through which a file could
# reach a forbidden one (REACH_EVERYTHING) are forbidden too.
REACH_EVERYTHING = ("lakeproof.cli", "lakeproof.console", "benchmarks", "lakeproof.scenarios.catalog")
NOT_KNOWN_TO_A_REPAIR = ("lakeproof.faults", "lakeproof.scenarios.truth", "lakeproof.drills")
NOT_KNOWN_TO_A_DIAGNOSIS = (
    *NOT_KNOWN_TO_A_REPAIR,
    "lakeproof.mitigations",
    "lakeproof.wrong_fixes",
    "lakeproof.checks",
    "lakeproof.scenarios.catalog",
    "lakeproof.incidents",
    "lakeproof.processes.client",
)


def package_modules(package: ModuleType) -> Iterator[ModuleType]:
    """Every module directly in the package, in the order of their names."""
    for entry in sorted(pkgutil.iter_modules(package.__path__), key=lambda entry: entry.name):
        yield importlib.import_module(f"{package.__name__}.{entry.name}")


def scenario_module(folder: Path, name: str, without: tuple[str, ...] = ()) -> ModuleType | None:
    """The module NAME.py of a scenario's folder; None where the folder has no such file.

    A folder of this package is imported by its name. A folder elsewhere becomes a package of its own, so that its
    modules may import each other (`from .probes import …`).
    without: packages that a file outside this package must not import itself, beside REACH_EVERYTHING.
    Raises: InvalidInput naming the file that does not load or imports a forbidden package, and why.
    """
    path = folder / f"{name}.py"
    if not path.is_file():
        return None
    if folder.parent == OWN_SCENARIOS:
        return importlib.import_module(f"lakeproof_shop.scenarios.{folder.name}.{name}")
    imported = _imported(path)
    for package in (*without, *REACH_EVERYTHING):
        if any(f"{one}.".startswith(f"{package}.") for one in imported):
            raise InvalidInput(
                f"imports {package}",
                where=str(path),
                next_action="move what needs that import into another file, or do without it",
            )
    return _load(folder, name)


def _imported(path: Path) -> set[str]:
    """The modules that a file imports (`from a import b`: a and a.b). A sibling counts as the room of its kind."""
    imported = set[str]()
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise _does_not_load(path, error) from error
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                imported |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=module, names=aliases, level=0):
                imported |= {module or "", *(f"{module}.{alias.name}" for alias in aliases)}
            case ast.ImportFrom(module=module, names=aliases):
                siblings = [module] if module else [alias.name for alias in aliases]
                imported |= {f"lakeproof.{SIBLINGS.get(name, name)}" for name in siblings}
    return imported


def _does_not_load(path: Path, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"does not load: {type(error).__name__}: {error}", where=str(path), next_action="mend the file"
    )


def _load(folder: Path, name: str) -> ModuleType:
    # The package's name carries the whole path, so that two folders may have the same name.
    mark = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    package = f"lakeproof_scenario_{mark}"
    if package not in sys.modules:
        home = ModuleType(package)
        home.__path__ = [str(folder)]
        sys.modules[package] = home
    try:
        return importlib.import_module(f"{package}.{name}")
    except (ImportError, SyntaxError, NameError, TypeError, ValueError, AttributeError) as error:
        raise _does_not_load(folder / f"{name}.py", error) from error


def collect[T](
    room: ModuleType,
    folders: Iterable[Path],
    name: str,
    find: Callable[[ModuleType], Iterable[T]],
    without: tuple[str, ...] = (),
) -> dict[str, T]:
    """What `find` gives for every module of the room and for NAME.py of each folder, by its `id`.

    without: as `scenario_module` takes it. Raises: InvalidInput for two with one id; and as `scenario_module`.
    """
    modules = [*package_modules(room), *(scenario_module(each, name, without) for each in folders)]
    found: dict[str, T] = {}
    homes: dict[str, str] = {}
    for module in modules:
        for item in find(module) if module is not None else ():
            key: str = getattr(item, "id")  # noqa: B009  every kind of ours has an id; T cannot say so
            if key in found:
                raise InvalidInput(
                    f"{key!r} also comes from {homes[key]}",
                    where=str(module and module.__file__),
                    next_action="give one of them another id",
                )
            found[key] = item
            homes[key] = str(module and module.__file__)
    return dict(sorted(found.items()))
