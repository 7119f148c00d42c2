"""Recipes: what a folder of third_party/ says, and what is refused."""

import tomllib
from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.install.lock import read_lock
from lakeproof.install.recipe import MavenStep, PypiStep, load_recipes

from .conftest import REPOSITORY, SERVICE_STEP, MakeRecipe

NAMES = sorted(load_recipes(REPOSITORY))


def test_a_changed_description_keeps_the_artifact(make_recipe: MakeRecipe) -> None:
    before = make_recipe(what='"a thing"').digest()
    assert make_recipe(what='"the same thing"', download_mb="7").digest() == before


def test_a_changed_step_makes_another_artifact(make_recipe: MakeRecipe) -> None:
    before = make_recipe().digest()
    assert make_recipe(steps=SERVICE_STEP.replace("a.Provider", "b.Provider")).digest() != before


def test_a_changed_pom_or_source_makes_another_artifact(make_recipe: MakeRecipe, clone: Path) -> None:
    (clone / "java").mkdir()
    (clone / "java" / "A.java").write_text("class A {}")
    recipe = make_recipe(sources='["java"]')
    seen = {recipe.digest()}
    (recipe.folder / "pom.xml").write_text("<project/>")
    seen.add(recipe.digest())
    (clone / "java" / "A.java").write_text("class A { int a; }")
    seen.add(recipe.digest())
    assert len(seen) == 3


def test_what_a_build_leaves_beside_the_sources_changes_nothing(make_recipe: MakeRecipe, clone: Path) -> None:
    (clone / "java").mkdir()
    (clone / "java" / "A.java").write_text("class A {}")
    recipe = make_recipe(sources='["java"]')
    before = recipe.digest()
    (clone / "java" / "target").mkdir()
    (clone / "java" / "target" / "A.class").write_bytes(b"x")
    assert recipe.digest() == before


def test_an_edited_test_does_not_build_the_jar_anew(make_recipe: MakeRecipe, clone: Path) -> None:
    for kind in ("main", "test"):
        (clone / "java" / "src" / kind / "java").mkdir(parents=True)
        (clone / "java" / "src" / kind / "java" / "A.java").write_text("class A {}")
    recipe = make_recipe(sources='["java"]')
    before = recipe.digest()
    (clone / "java" / "src" / "test" / "java" / "A.java").write_text("class A { int b; }")
    assert recipe.digest() == before
    (clone / "java" / "src" / "main" / "java" / "A.java").write_text("class A { int b; }")
    assert recipe.digest() != before


def test_an_unknown_step_is_refused_with_the_file_and_the_known_ones(make_recipe: MakeRecipe) -> None:
    with pytest.raises(InvalidInput, match=r"thing/artifact\.toml.*'magic' is none of .*maven"):
        make_recipe(steps='[[step]]\nuses = "magic"\n')


def test_a_missing_key_is_refused_by_name(make_recipe: MakeRecipe) -> None:
    with pytest.raises(InvalidInput, match="provider"):
        make_recipe(steps='[[step]]\nuses = "service-jar"\ninto = "x"\nservice = "y"\n')


def test_garbled_toml_is_refused_with_the_file(make_recipe: MakeRecipe) -> None:
    with pytest.raises(InvalidInput, match=r"thing/artifact\.toml: not valid TOML"):
        make_recipe(steps="[[step\n")


def test_a_need_that_nobody_makes_is_refused(make_recipe: MakeRecipe, clone: Path) -> None:
    make_recipe(needs='["nothing"]')
    with pytest.raises(InvalidInput, match="needs 'nothing'"):
        load_recipes(clone)


@pytest.mark.parametrize("name", NAMES)
def test_every_committed_recipe_that_fetches_has_a_lock(name: str) -> None:
    recipe = load_recipes(REPOSITORY)[name]
    locked = read_lock(recipe.lock_file)
    fetched = [step for step in recipe.steps if isinstance(step, MavenStep | PypiStep)]
    assert bool(locked) == bool(fetched)
    assert all(len(file.sha256) == 64 and file.size > 0 and ":" in file.coordinates for file in locked.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_told_download_is_not_less_than_what_the_lock_adds_up_to(name: str) -> None:
    recipe = load_recipes(REPOSITORY)[name]
    unique = {file.sha256: file.size for file in read_lock(recipe.lock_file).values()}
    assert recipe.download_mb >= sum(unique.values()) // 1_000_000


def test_versions_are_pinned_and_no_recipe_names_a_host() -> None:
    for path in (REPOSITORY / "third_party").rglob("*"):
        if path.suffix in {".toml", ".xml", ".tsv", ".mod"}:
            text = path.read_text().replace("http://maven.apache.org/POM/4.0.0", "")
            assert "://" not in text, path
    for path in (REPOSITORY / "third_party").rglob("artifact.toml"):
        for step in tomllib.loads(path.read_text())["step"]:
            assert step["uses"] != "pypi" or "==" in step["requirement"]
