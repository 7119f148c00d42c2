"""The plan: only what is missing, and what this machine needs."""

import threading
from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.install import java
from lakeproof.install.build import Options, build
from lakeproof.install.plan import make_plan
from lakeproof.install.recipe import load_recipes
from lakeproof.install.setup import set_up

from .conftest import SERVICE_STEP, HeardProgress, MakeRecipe


def names(clone: Path) -> list[str]:
    return [recipe.name for recipe in make_plan(load_recipes(clone)).missing]


def test_the_plan_lists_only_what_is_missing(
    make_recipe: MakeRecipe, clone: Path, heard: HeardProgress, never: threading.Event
) -> None:
    build(make_recipe("there"), Options(), heard, never)
    make_recipe("quick", seconds="1")
    make_recipe("slow", seconds="9")
    assert names(clone) == ["slow", "quick"]


def test_a_stand_in_is_not_planned_where_the_machine_has_the_real_one(
    make_recipe: MakeRecipe, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_recipe("jdk17", unless='"java-17"')
    monkeypatch.setattr(java, "has_java_17", lambda: True)
    assert names(clone) == []
    monkeypatch.setattr(java, "has_java_17", lambda: False)
    assert names(clone) == ["jdk17"]


def test_what_is_built_on_request_is_only_planned_and_built_where_it_is_asked_for(
    make_recipe: MakeRecipe, clone: Path
) -> None:
    make_recipe("usual")
    make_recipe("heavy", on_request="true")
    recipes = load_recipes(clone)
    assert names(clone) == ["usual"]
    assert [recipe.name for recipe in make_plan(recipes, ["heavy"]).missing] == ["heavy", "usual"]
    assert [built.name for built in set_up(recipes, Options(), HeardProgress())] == ["usual"]
    assert [built.name for built in set_up(recipes, Options(), HeardProgress(), only=["heavy"])] == ["heavy"]


def test_sizes_add_up(make_recipe: MakeRecipe, clone: Path) -> None:
    make_recipe("a", download_mb="10", disk_mb="20")
    make_recipe("b", download_mb="1", disk_mb="2")
    made = make_plan(load_recipes(clone))
    assert (made.download_mb, made.disk_mb) == (11, 22)


def test_set_up_builds_needs_first_and_a_second_run_finds_all_there(make_recipe: MakeRecipe, clone: Path) -> None:
    make_recipe("a-last", needs='["z-first"]', seconds="99")
    make_recipe("z-first")
    heard = HeardProgress()
    set_up(load_recipes(clone), Options(), heard)
    assert [line.split(":")[0] for line in heard.lines] == ["z-first", "a-last"]
    again = HeardProgress()
    assert {built.outcome for built in set_up(load_recipes(clone), Options(), again)} == {"present"}
    assert again.lines == []


def test_only_brings_its_needs_and_nothing_else(make_recipe: MakeRecipe, clone: Path) -> None:
    for name, needs in (("wanted", '["need"]'), ("need", "[]"), ("other", "[]")):
        make_recipe(name, needs=needs)
    built = set_up(load_recipes(clone), Options(), HeardProgress(), only=["wanted"])
    assert [one.name for one in built] == ["need", "wanted"]


def test_one_failure_does_not_stop_the_others_and_is_named(make_recipe: MakeRecipe, clone: Path) -> None:
    make_recipe("good")
    bad = make_recipe("bad", steps=SERVICE_STEP)
    bad.lock_file.write_text(f"{'0' * 64}\t1\tx.jar\tg:x:1\n")
    make_recipe("after-bad", needs='["bad"]')
    heard = HeardProgress()
    with pytest.raises(TerminalError, match=r"bad: .*x\.jar did not come.*left out.*after-bad"):
        set_up(load_recipes(clone), Options(), heard)
    assert any(line.startswith("good: built") for line in heard.lines)


def test_an_unknown_name_is_refused_with_the_known_ones(make_recipe: MakeRecipe, clone: Path) -> None:
    make_recipe("known")
    with pytest.raises(InvalidInput, match=r"unknown.*known"):
        set_up(load_recipes(clone), Options(), HeardProgress(), only=["unknown"])
