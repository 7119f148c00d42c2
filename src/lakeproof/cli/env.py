"""`lakeproof env`: print the stack's endpoints and SECRETS for a shell."""

import shlex
from typing import Annotated

import typer

from lakeproof.cli.output import print_json
from lakeproof.stack.stack import load_stack


def env(as_json: Annotated[bool, typer.Option("--json", help="as one object")] = False) -> None:
    """Print every endpoint and every SECRET of the stack, for: eval "$(lakeproof env)".

    CONNECT_HTTP=127.0.0.1:8083, SECRET_MYSQL_READER=…: shown in clear, so mind where the output goes.
    """
    from lakeproof.processes.shell import shell_variables

    variables = shell_variables(load_stack())
    if as_json:
        print_json(variables)
        return
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
