"""Asks the person at the terminal before a command changes something."""

import sys

import typer

from lakeproof.errors import InvalidInput


def agreed(question: str, where: str) -> bool:
    """True where the answer is yes; False where there is no terminal, so that nobody was asked.

    Raises: InvalidInput where the answer is no, so that no caller goes on as if the change had been made.
    """
    if not sys.stdin.isatty():
        return False
    try:
        yes = typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-D
        yes = False
    if not yes:
        raise InvalidInput("you said no; nothing was changed", where=where)
    return True
