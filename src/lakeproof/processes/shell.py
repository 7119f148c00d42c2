"""The stack's endpoints and secrets as shell variables."""

from lakeproof.errors import InvalidInput
from lakeproof.stack import secrets
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack


def variable(*words: str) -> str:
    """The words as a variable's name: FLINK_JOBMANAGER_HTTP from "flink-jobmanager", "http"."""
    return "_".join(words).replace("-", "_").upper()


def shell_variables(stack: Stack) -> dict[str, str]:
    """COMPONENT_KIND=host:port for every endpoint that the stack has, SECRET_NAME=value for every secret."""
    found = {
        variable(name, kind): stack.address(name, kind)
        for name, component in all_components().items()
        for kind in component.ports
        if stack.has_endpoint(name, kind)
    }
    for name in secrets.NAMES:
        try:
            found[variable("secret", name)] = stack.secret(name)
        except InvalidInput:
            continue  # an external stack has only the secrets that it was given
    return found
