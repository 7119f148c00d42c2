"""The .env file beside the compose file: one variable for each of the stack's secrets, made once, never committed."""

import secrets as random_secrets
from pathlib import Path

from lakeproof.errors import InvalidInput
from lakeproof.install.cache import artifacts_dir
from lakeproof.install.recipe import clone_dir
from lakeproof.stack.secrets import NAMES
from lakeproof.written import read_if_there, write_file

GRAFANA = "grafana-admin"
SECRETS = (*NAMES, GRAFANA)
CLONE, ARTIFACTS = "LAKEPROOF_CLONE", "LAKEPROOF_ARTIFACTS"


def variable(secret: str) -> str:
    """The variable's name: mysql-root is MYSQL_ROOT."""
    return secret.upper().replace("-", "_")


def reference(secret: str) -> str:
    """What stands for the secret in the compose file; compose refuses a file whose secret is not set."""
    return f"${{{variable(secret)}:?}}"


def make_env_file(path: Path) -> list[str]:
    """Write the file, mode 600; what is set in it already stays. Gives the names that were added.

    Raises: InvalidInput for a line that is no NAME=value.
    """
    text = read_if_there(path)
    if text is None:
        text = "# Secrets of `lakeproof render compose`, and where the clone and its artifacts lie. Do not commit."
    lines = text.splitlines()
    kept = [line for line in lines if line.strip() and not line.startswith("#")]
    for line in kept:
        if "=" not in line:
            raise InvalidInput(f"no NAME=value: {line!r}", where=str(path), next_action="mend or remove that line")
    there = {line.partition("=")[0].removeprefix("export ").strip() for line in kept}
    wanted = {variable(secret): random_secrets.token_hex(16) for secret in SECRETS}
    wanted |= {CLONE: str(clone_dir()), ARTIFACTS: str(artifacts_dir())}
    added = [name for name in wanted if name not in there]
    text = "\n".join([*lines, *(f"{name}={wanted[name]}" for name in added)])
    write_file(path, text + "\n", mode=0o600)
    return added
