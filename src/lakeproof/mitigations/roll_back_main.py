"""Have `main` begin again at the last published state, where somebody else wrote on it or moved it."""

from lakeproof.arguments import Arguments
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: Arguments) -> str:
    """The same by hand."""
    return "lakeproof lake rollback"


def run(stack: Stack, arguments: Arguments) -> str:
    """Do nothing where nobody else touched main. Raises: as `roll_back`."""
    done = roll_back(stack)
    if done is None:
        return "main is as it was published"
    return f"main begins again at {done.hash[:16]}; what it showed is kept as the tag {done.set_aside}"


MITIGATION = Mitigation("roll_back_main", "take back what others did to main", typed, run)
