"""Loading modules where the folder is the list: no registry is kept by hand.

A package's modules are imported by name; a folder outside the package is loaded by path.
"""

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from lakeproof.errors import InvalidInput


def package_modules(package: ModuleType) -> Iterator[ModuleType]:
    """Every module directly in the package, in the order of their names."""
    for entry in sorted(pkgutil.iter_modules(package.__path__), key=lambda entry: entry.name):
        yield importlib.import_module(f"{package.__name__}.{entry.name}")


def folder_modules(folder: Path) -> Iterator[ModuleType]:
    """Every *.py file directly in a folder, loaded by path, in the order of their names.

    Raises: InvalidInput naming the file that does not load, and why.
    """
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield _load(path)


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
        raise InvalidInput(
            f"does not load: {type(error).__name__}: {error}", where=str(path), next_action="mend the file"
        ) from error
    return module


def collect[T](modules: Iterable[ModuleType], attribute: str, kind: type[T]) -> dict[str, T]:
    """The `attribute` of every module that has it (one object or a tuple of them), by its `id`.

    Raises: InvalidInput for an object of another kind, or for two with one id.
    """
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
