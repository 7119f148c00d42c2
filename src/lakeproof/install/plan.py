"""What set-up would still do on this machine. Standard library only: bootstrap.sh asks before anything is installed.

`python -m lakeproof.install.plan` prints one line per missing artifact, tab-separated:
name, version, what, from, download MB, disk MB, seconds.
"""

import sys
from collections.abc import Collection
from dataclasses import dataclass

from lakeproof.errors import LakeproofError
from lakeproof.install import artifacts, golang, java
from lakeproof.install.recipe import Recipe, load_recipes
from lakeproof.install.store import faults_of


@dataclass(frozen=True)
class Plan:
    """The recipes that are still to be built, the longest first."""

    missing: tuple[Recipe, ...]

    @property
    def download_mb(self) -> int:
        """Megabytes to fetch, at most (what is half there already is not subtracted)."""
        return sum(recipe.download_mb for recipe in self.missing)

    @property
    def disk_mb(self) -> int:
        """Megabytes on disk afterwards."""
        return sum(recipe.disk_mb for recipe in self.missing)


def wanted_recipes(recipes: dict[str, Recipe], asked_for: Collection[str] = ()) -> list[Recipe]:
    """The recipes that this machine needs.

    Left out are recipes whose `unless` holds, recipes without sources yet, and recipes built on request that are not
    in `asked_for`.
    """
    return [
        recipe
        for recipe in recipes.values()
        if not (recipe.unless is not None and _holds(recipe.unless))
        and recipe.sources_present()
        and (not recipe.on_request or recipe.name in asked_for)
    ]


def make_plan(recipes: dict[str, Recipe], asked_for: Collection[str] = ()) -> Plan:
    """The wanted recipes whose artifact is absent or broken (by presence and size)."""
    missing = [recipe for recipe in wanted_recipes(recipes, asked_for) if faults_of(artifacts.directory_of(recipe))]
    return Plan(tuple(sorted(missing, key=lambda recipe: -recipe.seconds)))


def _holds(condition: str) -> bool:
    """True when the machine itself has what a recipe stands in for: `java-17`, `go-1.26.5`."""
    if condition == "java-17":
        return java.has_java_17()
    kind, _, version = condition.partition("-")
    if kind == "go":
        return golang.system_go([int(part) for part in version.split(".")]) is not None
    return False


def main() -> int:
    """Print the plan for bootstrap.sh."""
    try:
        plan = make_plan(load_recipes())
    except LakeproofError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return error.exit_code
    for r in plan.missing:
        fields = (r.name, r.version, r.what, r.source, r.download_mb, r.disk_mb, r.seconds)
        sys.stdout.write("\t".join(str(field) for field in fields) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
