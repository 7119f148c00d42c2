import pytest

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.stack.closure import closure
from lakeproof.stack.component import Command, Component


def component(
    name: str,
    needs: tuple[str, ...] = (),
    provision_needs: tuple[str, ...] = (),
    uses: tuple[str, ...] = (),
) -> Component:
    return Component(
        name=name,
        kind="engine",
        command=lambda stack: Command(("true",)),
        ready=lambda stack, timeout: None,
        needs=needs,
        provision_needs=provision_needs,
        uses=uses,
    )


def table(*components: Component) -> dict[str, Component]:
    return {entry.name: entry for entry in components}


def test_a_closure_lists_what_a_target_needs_before_it() -> None:
    known = table(
        component("a"), component("b", needs=("a",)), component("c", provision_needs=("b",)), component("d")
    )
    assert closure(["c"], known) == ("a", "b", "c")


def test_a_closure_names_each_component_once() -> None:
    known = table(component("a"), component("b", needs=("a",)), component("c", needs=("a", "b")))
    assert closure(["c", "b"], known) == ("a", "b", "c")


def test_a_circle_is_refused_with_its_path() -> None:
    known = table(component("a", needs=("b",)), component("b", needs=("a",)))
    with pytest.raises(TerminalError, match="a → b → a"):
        closure(["a"], known)


def test_an_unknown_target_lists_the_names_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"kafak.*one of kafka"):
        closure(["kafak"], table(component("kafka")))


def test_what_is_used_comes_too_and_may_use_its_user() -> None:
    known = table(component("a", uses=("b",)), component("b", needs=("c",), uses=("a",)), component("c"))
    assert closure(["a"], known) == ("a", "c", "b")
