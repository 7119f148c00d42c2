"""Which alerts tell of one trouble: those about one component, or about two of which one stands on the other.

A Nessie that is down sets off an alert about Nessie and one about the publisher, which can no longer publish. An
on-call engineer must get one incident of that, and not two.
"""

from collections.abc import Iterable
from functools import cache

from lakeproof.diagnosis.component_causes import upstream
from lakeproof.stack.components import all_components

# An alert's annotation: further components on whose work its metric stands, by blanks. The age of the newest data
# stands on the whole way of a record, and not only on the publisher that tells it.
STANDS_ON = "stands_on"


@cache
def _upstream() -> dict[str, frozenset[str]]:
    return upstream(all_components())


def stands_on(component: str, more: str = "") -> frozenset[str]:
    """The component, what it needs to do its work, and the components of the annotation `more`."""
    return frozenset((component, *more.split())) | _upstream().get(component, frozenset())


def akin(one: tuple[str, str], others: Iterable[tuple[str, str]]) -> bool:
    """True where one trouble may have set off an alert and one of the others.

    Each is a pair of its component and its annotation `stands_on`. An alert without a component is akin to none.
    """
    component, more = one
    below = stands_on(component, more)
    return bool(component) and any(
        other and (other in below or component in stands_on(other, others_more)) for other, others_more in others
    )
