"""What a command needs to be healthy, asked before it begins."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakeproof.stack.stack import Stack

ASK_SECONDS = 3.0


def require_healthy(stack: "Stack", names: Iterable[str]) -> None:
    """Ask each component its own readiness question.

    Raises: TerminalError naming the first that is not, and how to start it.
    """
    from lakeproof.errors import NotReady, TerminalError
    from lakeproof.stack.components import find

    needed = tuple(names)
    for name in needed:
        try:
            find(name).ready(stack, ASK_SECONDS)
        except NotReady as error:
            raise TerminalError(
                f"it is not healthy: {error.what}", where=name, next_action=f"lakeproof up {' '.join(needed)}"
            ) from error
