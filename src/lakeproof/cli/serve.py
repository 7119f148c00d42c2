"""`lakeproof serve`: run the incident desk in the foreground."""

import typer


def add_to(app: typer.Typer) -> None:
    """Add `serve`."""

    @app.command("serve")
    def serve() -> None:
        """Run the desk here: pages, API, Alertmanager's webhook. Ctrl-C ends it; `up desk` runs it behind."""
        from lakeproof.cli.output import say
        from lakeproof.errors import PortTaken
        from lakeproof.incidents.api import run_desk
        from lakeproof.processes.ports import holder_of, is_free
        from lakeproof.stack.stack import load_stack

        stack = load_stack()
        port = stack.port("desk")
        if not is_free(stack.settings.host, port):
            raise PortTaken(port, "desk", holder_of(port))
        run_desk(
            stack, opened=lambda url: say(f"the desk answers on {url}; Alertmanager posts to {url}/api/alertmanager")
        )
