"""Builds the artifacts that the clone lacks: several at a time, each after the artifacts that it needs."""

import threading
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from lakeproof.errors import InvalidInput, LakeproofError, TerminalError
from lakeproof.install.build import Built, Options, Outcome, build, check_disk
from lakeproof.install.plan import make_plan, wanted_recipes
from lakeproof.install.progress import Progress
from lakeproof.install.recipe import Recipe

AT_A_TIME = 3


def set_up(
    recipes: dict[str, Recipe], options: Options, progress: Progress, *, only: Collection[str] = ()
) -> list[Built]:
    """Build what is missing or broken; gives every wanted artifact. `only` limits to names (and what they need).

    An artifact that fails does not stop the others; the artifacts that need it are left out.
    Raises: InvalidInput for an unknown name; TerminalError that lists what failed. Safe to run again at any time.
    """
    chosen = choose(recipes, only)
    missing = {recipe.name for recipe in make_plan(recipes, only).missing}
    check_disk([recipe for recipe in chosen.values() if recipe.name in missing])
    stop = threading.Event()
    done: list[Built] = []
    failed: dict[str, LakeproofError] = {}
    waiting = {recipe.name: recipe for recipe in sorted(chosen.values(), key=_rank(chosen))}
    running: dict[Future[Built], str] = {}
    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="set-up") as pool:
        try:
            while waiting or running:
                finished = {built.name for built in done}
                for recipe in _ready(waiting, finished, chosen)[: AT_A_TIME - len(running)]:
                    del waiting[recipe.name]
                    running[pool.submit(build, recipe, options, progress, stop)] = recipe.name
                if not running:
                    break
                for future in wait(running, timeout=1.0, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    try:
                        built = future.result()
                    except LakeproofError as error:
                        failed[name] = error
                        progress.report(name, f"FAILED: {error.message}")
                    else:
                        done.append(built)
                        if built.outcome is Outcome.PRESENT:
                            continue
                        progress.report(
                            name, f"{built.outcome} ({built.size_bytes // 1_000_000} MB, {built.seconds} s)"
                        )
        except BaseException:
            stop.set()
            raise
    if failed:
        raise _all_failures(failed, waiting)
    return sorted(done, key=lambda built: built.name)


def choose(recipes: dict[str, Recipe], only: Collection[str]) -> dict[str, Recipe]:
    """The recipes of these names and what they need; without names, all that this machine needs.

    Raises: InvalidInput for an unknown name.
    """
    wanted = {recipe.name: recipe for recipe in wanted_recipes(recipes)}
    if not only:
        return wanted
    chosen: dict[str, Recipe] = {}
    names = list(only)
    while names:
        name = names.pop()
        if name not in recipes:
            raise InvalidInput(f"no such artifact: {name}", next_action=f"one of {', '.join(recipes)}")
        chosen[name] = recipes[name]
        names += [need for need in recipes[name].needs if need in wanted and need not in chosen]
    return chosen


def _ready(waiting: dict[str, Recipe], finished: set[str], chosen: dict[str, Recipe]) -> list[Recipe]:
    """The waiting recipes whose needs are met; a need that this machine does not have to build counts as met."""
    return [
        recipe for recipe in waiting.values() if all(need in finished or need not in chosen for need in recipe.needs)
    ]


def _rank(chosen: dict[str, Recipe]) -> Callable[[Recipe], int]:
    """A sort key, longest way to the end first: a recipe's seconds plus those of the longest chain that needs it."""

    def seconds_to_end(recipe: Recipe) -> int:
        after = [seconds_to_end(other) for other in chosen.values() if recipe.name in other.needs]
        return recipe.seconds + max(after, default=0)

    return lambda recipe: -seconds_to_end(recipe)


def _all_failures(failed: dict[str, LakeproofError], left_out: Collection[str]) -> LakeproofError:
    if len(failed) == 1 and not left_out:
        return next(iter(failed.values()))
    text = "; ".join(f"{name}: {error.what}" for name, error in failed.items())
    if left_out:
        text += f"; left out, for they need these: {', '.join(left_out)}"
    return TerminalError(text, where="set-up", next_action="mend the first of these, then run again: lakeproof setup")
