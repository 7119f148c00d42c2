"""Loading modules where the folder is the list: no registry is kept by hand.

A package's modules are imported by name; a folder outside the package is loaded by path.
"""

import ast
import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from lakeproof.errors import InvalidInput

# import-linter (pyproject.toml) does not see the modules in the folders of scenarios, so `folder_modules` holds them
# to the same rules. It looks only at the imports that the file itself writes, so the rooms through which a file could
# reach a forbidden one (REACH_EVERYTHING) are forbidden too.
REACH_EVERYTHING = ("lakeproof.cli", "lakeproof.console", "lakeproof.bench", "lakeproof.scenarios.catalog")
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


def folder_modules(folder: Path, attribute: str, without: tuple[str, ...] = ()) -> Iterator[ModuleType]:
    """Every *.py file directly in a folder that gives `attribute`, loaded by path, in the order of their names.

    Files without `attribute` are parsed and not run: whoever wants a folder's probes does not run its faults.
    without: packages that a loaded file must not import itself, beside REACH_EVERYTHING.
    Raises: InvalidInput naming the file that does not load or imports a forbidden package, and why.
    """
    for path in sorted(folder.glob("*.py")):
        if path.name == "__init__.py":
            continue
        names, imported = _read(path)
        if attribute not in names:
            continue
        for package in (*without, *REACH_EVERYTHING):
            if any(f"{name}.".startswith(f"{package}.") for name in imported):
                raise InvalidInput(
                    f"gives {attribute} and imports {package}",
                    where=str(path),
                    next_action="move what needs that import into another file, or do without it",
                )
        yield _load(path)


def _read(path: Path) -> tuple[set[str], set[str]]:
    """The names that a file assigns or imports, and the modules that it imports (`from a import b`: a and a.b)."""
    names, imported = set[str](), set[str]()
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise _does_not_load(path, error) from error
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Import(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
                imported |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=module, names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
                imported |= {module or "", *(f"{module}.{alias.name}" for alias in aliases)}
    return names, imported


def _does_not_load(path: Path, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"does not load: {type(error).__name__}: {error}", where=str(path), next_action="mend the file"
    )


def _load(path: Path) -> ModuleType:
    # The name carries the whole path, so that two folders may each have a fault.py.
    mark = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"lakeproof_folder_{mark}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidInput("not a Python module", where=str(path), next_action="mend or remove the file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError, NameError, TypeError, ValueError, AttributeError) as error:
        del sys.modules[name]
        raise _does_not_load(path, error) from error
    return module


def collect[T](
    package: ModuleType, folders: Iterable[Path], attribute: str, kind: type[T], without: tuple[str, ...] = ()
) -> dict[str, T]:
    """The `attribute` (one object or a tuple of them) of every module of the package and of the folders, by its `id`.

    without: as `folder_modules` takes it.
    Raises: InvalidInput for an object of another kind, or for two with one id; and as `folder_modules`.
    """
    modules = [
        *package_modules(package),
        *(one for each in folders for one in folder_modules(each, attribute, without)),
    ]
    found: dict[str, T] = {}
    homes: dict[str, str] = {}
    for module in modules:
        given = getattr(module, attribute, ())
        for item in given if isinstance(given, tuple) else (given,):
            if not isinstance(item, kind):
                raise InvalidInput(
                    f"{attribute} is not a {kind.__name__}", where=str(module.__file__), next_action="mend the module"
                )
            name: str = getattr(item, "id")  # noqa: B009  every kind of ours has an id; T cannot say so
            if name in found:
                raise InvalidInput(
                    f"{kind.__name__} {name!r} also comes from {homes[name]}",
                    where=str(module.__file__),
                    next_action="give one of them another id",
                )
            found[name] = item
            homes[name] = str(module.__file__)
    return dict(sorted(found.items()))
