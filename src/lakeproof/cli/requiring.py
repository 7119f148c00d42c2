"""Checks before a command begins that the components that it needs are healthy."""

from collections.abc import Iterable

from lakeproof.errors import NotReady, TerminalError
from lakeproof.stack.components import find
from lakeproof.stack.stack import Stack

ASK_SECONDS = 3.0


def require_healthy(stack: Stack, names: Iterable[str]) -> None:
    """Ask each component its own readiness question.

    Raises: TerminalError naming the first component that is not healthy, and how to start it.
    """
    needed = tuple(names)
    for name in needed:
        try:
            component = find(name)
            component.ready(stack, max(ASK_SECONDS, component.answer_seconds))
        except NotReady as error:
            raise TerminalError(
                f"it is not healthy: {error.what}", where=name, next_action=f"lakeproof up {' '.join(needed)}"
            ) from error
