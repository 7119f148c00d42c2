"""The tenant of this installation, and how it is found.

A tenant is a Python package. Its module `tenant` has the one object TENANT. What lies in folders beside that module
is found by the folder's name, and may be missing:

    connectors/NAME.json         what is captured of each database
    tables/DATABASE/TABLE.sql    the lake's tables; results/TABLE.sql: the result topics
    scenarios/NAME/              incidents with their faults, causes, repairs and runbooks
    use_cases/NAME.yaml          questions to the lake
    components/*.py              what else runs (COMPONENTS, as in lakeproof.stack.services)

LAKEPROOF_TENANT, or `tenant` in lakeproof.toml, names the tenant: a folder with tenant.py (it holds a slash, or is a
single dot), or the name of an entry point of the group `lakeproof.tenant`. Without it the installed `shop` is taken.
"""

import importlib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distribution, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from lakeproof.errors import InvalidInput
from lakeproof.tenancy.databases import Account, Database, Keyspace

VARIABLE = "LAKEPROOF_TENANT"
USUAL = "shop"
GROUP = "lakeproof.tenant"


@dataclass(frozen=True)
class Topic:
    """A Kafka topic and its settings."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Tenant:
    """Whose tables the tool looks after. A text `module:attribute` names what is loaded only where it is needed.

    package: the package with the folders above.
    databases: the captured ones; one of them is `first`.
    judge: what compares the tables with what the tenant promised (lakeproof/proof/judge.py: Judge).
    traffic: who uses the tenant in drills and `lakeproof traffic` (lakeproof/traffic.py: Traffic).
    keyspaces, roles: of Cassandra.
    topics: of the tenant's events; those of capture and of results follow from `databases`.
    buckets: bucket of the object store → pattern of the folders that belong in it.
    ports: component → kind → port, before `port_shift` is added.
    sections: table of lakeproof.toml → its pydantic model.
    variables: names of environment variables that a start may hand to one of its components.
    way: its places in the console's drawing (lakeproof/console/way.py: Way).
    """

    name: str
    package: str
    databases: tuple[Database, ...]
    judge: str
    traffic: str
    keyspaces: tuple[Keyspace, ...] = ()
    roles: tuple[Account, ...] = ()
    topics: tuple[Topic, ...] = ()
    buckets: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sections: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    way: str | None = None

    def folder(self, name: str) -> Traversable:
        """A folder of the tenant's package, which may not be there."""
        return files(self.package) / name

    def path(self, name: str) -> Path:
        """The same as a path of the file system."""
        return Path(str(self.folder(name)))

    def text(self, path: str) -> str:
        """The text of a file below the tenant's package."""
        return files(self.package).joinpath(*path.split("/")).read_text(encoding="utf-8")

    def database_in(self, engine: str) -> Database | None:
        """The database that an engine holds; None where it holds none."""
        return next((one for one in self.databases if one.engine == engine), None)


def wanted() -> str:
    """The tenant's name or folder, as environment or lakeproof.toml have it; read without pydantic."""
    if named := os.environ.get(VARIABLE):
        return named
    try:
        text = Path(os.environ.get("LAKEPROOF_CONFIG", "lakeproof.toml")).read_text(encoding="utf-8")
        named = str(tomllib.loads(text).get("tenant", ""))
    except (OSError, ValueError):  # a missing file is usual; a broken one is reported by load_settings
        named = ""
    return named or USUAL


@cache
def tenant() -> Tenant:
    """The tenant of this process. Raises: InvalidInput where there is none of that name, or it does not load."""
    name = wanted()
    found = _of_folder(Path(name)) if "/" in name or name == "." else _of_entry_point(name)
    if sum(database.first for database in found.databases) != 1:
        raise InvalidInput("exactly one of a tenant's databases is the first", where=f"tenant {found.name}")
    return found


def load(named: str) -> Any:
    """The object that `module:attribute` names. Raises: InvalidInput where there is none."""
    module, _, attribute = named.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"does not load: {error}", where=f"tenant {tenant().name}, {named}") from error


def _of_folder(folder: Path) -> Tenant:
    folder = folder.resolve()
    if not (folder / "tenant.py").is_file():
        raise InvalidInput("no tenant.py in it", where=str(folder), next_action=f"correct {VARIABLE} or `tenant`")
    parent = str(folder.parent)
    if parent not in sys.path:
        sys.path.append(parent)
    # Processes of ours that are started from here find the same package.
    os.environ[VARIABLE] = str(folder)
    return _checked(importlib.import_module(f"{folder.name}.tenant").TENANT, str(folder))


def _of_entry_point(name: str) -> Tenant:
    # Of our own distribution first: to look through all of them costs every short command some 50 ms.
    own = distribution("lakeproof").entry_points.select(group=GROUP, name=name)
    found = own or entry_points(group=GROUP, name=name)
    if not found:
        there = ", ".join(sorted(entry.name for entry in entry_points(group=GROUP))) or "none is installed"
        raise InvalidInput(f"no tenant {name!r}", next_action=f"one of {there}, or a folder with tenant.py")
    return _checked(next(iter(found)).load(), name)


def _checked(found: object, where: str) -> Tenant:
    if not isinstance(found, Tenant):
        raise InvalidInput("its TENANT is no Tenant", where=where)
    return found
