"""Desk and console in one process on one port. `python -m lakeproof.console.app` runs them."""

import logging
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from lakeproof.incidents.api import build_desk, read_active_of
from lakeproof.incidents.self_check import LiveLook
from lakeproof.stack.stack import Stack, load_stack


def add_console(app: FastAPI, stack: Stack) -> None:
    """Add the console's pages to the desk's."""

    @app.get("/", include_in_schema=False)
    def show_stack() -> RedirectResponse:
        return RedirectResponse("/incidents")


def run(stack: Stack, *, log_level: str = "warning", opened: Callable[[str], None] | None = None) -> None:
    """Serve until a signal ends it. Raises: InvalidInput, TerminalError."""
    import uvicorn

    app = build_desk(stack, read_active=read_active_of(stack), stack_look=LiveLook(stack))
    add_console(app, stack)
    if opened is not None:
        opened(stack.url("desk"))
    uvicorn.run(app, host=stack.settings.host, port=stack.port("desk"), log_level=log_level, access_log=False)


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel("WARNING")  # it would log every question the desk asks
    run(load_stack())
