"""Desk and console in one process on one port. `python -m lakeproof.console.app` runs them."""

import logging
from collections.abc import Callable
from functools import partial

import uvicorn
from fastapi import FastAPI

from lakeproof.console.dashboard_pages import add_dashboard_pages
from lakeproof.console.lake_pages import add_lake_pages
from lakeproof.console.look import Look
from lakeproof.console.scenario_facts import ScenarioFacts
from lakeproof.console.stack_pages import add_stack_pages
from lakeproof.console.use_case_pages import add_use_case_pages
from lakeproof.console.watcher import FIRST_SECONDS
from lakeproof.incidents.api import build_desk, open_store
from lakeproof.incidents.self_check import LiveLook
from lakeproof.incidents.store import Store
from lakeproof.observability.active import read_active
from lakeproof.pages.page import Pages
from lakeproof.stack.stack import Stack, load_stack


def add_console(
    app: FastAPI,
    stack: Stack,
    store: Store,
    look: Callable[[], Look] | None = None,
    first_wait: float = FIRST_SECONDS,
) -> ScenarioFacts:
    """Add the console's pages to the desk's; gives what they know of the scenarios.

    `look` takes the place of the questions to the stack. `first_wait`: as Watcher has it.
    """
    pages = Pages("lakeproof.console")
    facts = ScenarioFacts(stack.settings.scenario_dirs)
    add_stack_pages(app, pages, stack, store, facts, look, first_wait)
    add_lake_pages(app, pages, stack, first_wait=first_wait)
    add_use_case_pages(app, pages, stack, store, facts, first_wait=first_wait)
    add_dashboard_pages(app, pages, stack)
    return facts


def run(stack: Stack, *, opened: Callable[[str], None] | None = None) -> None:
    """Serve until a signal ends it. Raises: InvalidInput, TerminalError."""
    store = open_store(stack)
    app = build_desk(stack, store, read_active=partial(read_active, stack), stack_look=LiveLook(stack))
    add_console(app, stack, store).read_ahead()
    if opened is not None:
        opened(stack.url("desk"))
    uvicorn.run(app, host=stack.settings.host, port=stack.port("desk"), log_level="warning", access_log=False)


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel("WARNING")  # it would log every question the desk asks
    run(load_stack())
