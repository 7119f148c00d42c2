"""`lakeproof serve`: run console and incident desk in the foreground."""

from lakeproof.cli.output import say
from lakeproof.errors import PortTaken
from lakeproof.stack.stack import load_stack


def serve() -> None:
    """Run console and desk here: pages, API, Alertmanager's webhook. Ctrl-C ends it; `up desk` runs it behind."""
    from lakeproof.console.app import run
    from lakeproof.processes.ports import holder_of, is_free

    stack = load_stack()
    port = stack.port("desk")
    if not is_free(stack.settings.host, port):
        raise PortTaken(port, "desk", holder_of(port))
    run(
        stack,
        opened=lambda url: say(f"console and desk answer on {url}; Alertmanager posts to {url}/api/alertmanager"),
    )
