"""Where an installed artifact lies: the one question that engines ask of set-up."""

from functools import cache
from pathlib import Path

from lakeproof.errors import InvalidInput, MissingArtifact
from lakeproof.install.cache import artifacts_dir
from lakeproof.install.recipe import Recipe, load_recipes
from lakeproof.install.store import is_complete


def path(name: str) -> Path:
    """The complete folder of artifact `name`, for this clone's recipe and sources.

    Cheap: reads the recipe's small files, hashes no artifact.
    Raises: InvalidInput for a name that no recipe has; MissingArtifact when it is not installed.
    """
    recipe = _recipe(name)
    directory = directory_of(recipe)
    if not is_complete(directory):
        raise MissingArtifact(name, on_request=recipe.on_request)
    return directory


def is_there(name: str) -> bool:
    """Whether `path` would give a folder. Raises: InvalidInput for a name that no recipe has."""
    return is_complete(directory_of(_recipe(name)))


def directory_of(recipe: Recipe) -> Path:
    """Where this recipe's artifact lies, or will lie."""
    return artifacts_dir() / recipe.name / recipe.directory_name()


def _recipe(name: str) -> Recipe:
    recipes = _recipes()
    if name not in recipes:
        raise InvalidInput(
            f"no such artifact: {name}", where="third_party", next_action=f"one of {', '.join(recipes)}"
        )
    return recipes[name]


@cache
def _recipes() -> dict[str, Recipe]:
    return load_recipes()
