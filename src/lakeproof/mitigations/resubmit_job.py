"""Have the lake's job there again, from its newest complete checkpoint; nothing where it is."""

from lakeproof.arguments import Arguments
from lakeproof.lake.job import ensure_submitted
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: Arguments) -> str:
    """The same by hand."""
    return "lakeproof lake redeploy"


def run(stack: Stack, arguments: Arguments) -> str:
    """Submit it where it is not."""
    return f"the lake's job is there as {ensure_submitted(stack)}"


MITIGATION = Mitigation("resubmit_job", "submit the lake's job from its newest complete checkpoint", typed, run)
