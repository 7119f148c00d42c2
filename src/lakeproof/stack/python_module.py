"""A service of ours as a process, `python -m MODULE`; and the `ready` of servers that a GET asks for it."""

import sys
from collections.abc import Callable

from lakeproof.stack import loopback
from lakeproof.stack.component import Command
from lakeproof.stack.stack import Stack


def run_module(module: str, *arguments: str) -> Callable[[Stack], Command]:
    """The command of a service. Its settings come to it as LAKEPROOF_* from whoever starts it. It reads its passwords
    from the stack's secrets, never from argv.
    """
    return lambda _: Command((sys.executable, "-m", module, *arguments))


def answers_ok(
    component: str, question: str = "GET /health. Raises: NotReady with what it says.", path: str = "/health"
) -> Callable[[Stack, float], None]:
    """The `ready` of a server that is ready where `path` has status 200. `question`: its text in the probe."""

    def ready(stack: Stack, timeout: float) -> None:
        loopback.require_ok(f"{stack.url(component)}{path}", component, timeout)

    ready.__doc__ = question
    return ready


def answers_itself(
    component: str,
    question: str = "It tells how its dependencies are; that one of them is down is their trouble, not its own.",
) -> Callable[[Stack, float], None]:
    """The same for a service that is ready whatever the status is, as long as the answer names the service."""

    def ready(stack: Stack, timeout: float) -> None:
        loopback.require_itself(f"{stack.url(component)}/health", component, timeout)

    ready.__doc__ = question
    return ready
