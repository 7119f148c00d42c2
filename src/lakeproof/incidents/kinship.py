"""Which alerts tell of one trouble: those about one component, or about two of which one stands on the other.

A Nessie that is down sets off an alert about Nessie and one about the publisher, which can no longer publish. An
on-call engineer must get one incident of that, and not two. Two alerts of different scenarios are two troubles: late
parcels and a column that somebody added are not one incident. Such alerts tell of one trouble only where both are
about the same component, or where a rule says by `stands_on` that its metric stands on the other's component.

No inhibition of Alertmanager is used for this. Alertmanager does not send the end of an inhibited alert while the
other alert fires, so the desk would show a trouble that is over (tried with 0.25 and the one inhibition there is, of
the milder severity).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from lakeproof.diagnosis.component_causes import upstream
from lakeproof.stack.components import all_components

# An alert's annotation that names, separated by blanks, further components on whose work its metric depends. The age
# of the newest data depends on the whole way of a record, and not only on the publisher that reports it.
STANDS_ON = "stands_on"


@cache
def _upstream() -> dict[str, frozenset[str]]:
    return upstream(all_components())


def stands_on(component: str) -> frozenset[str]:
    """The component, and what it needs to do its work."""
    return frozenset((component,)) | _upstream().get(component, frozenset())


@dataclass(frozen=True)
class Told:
    """What an alert is about. more: its annotation `stands_on`. scenario: "" where the alert belongs to none."""

    component: str
    more: str
    scenario: str


def akin(one: Told, others: Iterable[Told]) -> bool:
    """True where one trouble may have set off an alert and one of the others; without a component, never."""
    return any(one.component and other.component and _akin(one, other) for other in others)


def _akin(one: Told, other: Told) -> bool:
    if one.component == other.component or one.component in other.more.split() or other.component in one.more.split():
        return True
    if one.scenario and other.scenario:
        return False
    return other.component in stands_on(one.component) or one.component in stands_on(other.component)
