"""Claims about parcels: each waits a limited time, is where its history says, and has the label that it needs."""

from collections import defaultdict

from lakeproof_shop.proof.claims.facts import ParcelFact, ShopFacts, Store, Violations
from lakeproof_shop.proof.claims.purchases import bought, ended
from lakeproof_shop.services.checkout.models import Step
from lakeproof_shop.services.fulfillment.label import READY
from lakeproof_shop.services.fulfillment.models import State

# A parcel must be shipped within this time after it could be. The worker needs seconds; where a parcel waits longer,
# the worker must have been away.
SHIPPED_WITHIN_SECONDS = 600.0

_WAITING = frozenset({State.REQUESTED.value, State.LABEL_PENDING.value, State.LABEL_READY.value})
_WITH_LABEL = frozenset({State.LABEL_READY.value, State.SHIPPED.value, State.RETURNED.value})


def bought_is_sent_once(facts: ShopFacts) -> Violations | None:
    """Every purchase has one parcel, that of a returned purchase has come back, and no other checkout has any.

    A parcel for an order that no checkout made is goods sent for nothing, unless others use the shop too. Checkouts
    are read after the parcels, and one knows its order before it asks for a parcel.
    """
    if facts.parcels is None or facts.checkouts is None:
        return None
    parcels: defaultdict[int, list[ParcelFact]] = defaultdict(list)
    for parcel in facts.parcels:
        if parcel.status != State.CANCELLED:
            parcels[parcel.order_id].append(parcel)
    broken = []
    for one in ended(facts.checkouts):
        wanted = 1 if (bought(one) and one.order_status == "paid") or one.step == Step.RETURNED else 0
        states = [parcel.status for parcel in parcels[one.order_id]] if one.order_id is not None else []
        if len(states) != wanted or (one.step == Step.RETURNED and states != ["returned"]):
            found = f"{len(states)} parcels ({', '.join(states) or '-'})"
            broken.append(f"checkout {one.key}: {one.step}, order {one.order_id}, {found}, wanted {wanted}")
    if facts.only_ours:
        broken += [
            f"parcel {one.id}: {one.status}, for order {one.order_id}, which no checkout made"
            for one in _nobodys(facts)
        ]
    return broken


def _nobodys(facts: ShopFacts) -> list[ParcelFact]:
    """Parcels, without those that were called off, for orders that no checkout made."""
    orders = {one.order_id for one in facts.checkouts or ()}
    return [one for one in facts.parcels or () if one.status != State.CANCELLED and one.order_id not in orders]


def others_parcels_in_words(facts: ShopFacts) -> str:
    """How many parcels are for others' orders, where others use the shop too; "" for none."""
    others = 0 if facts.only_ours else len(_nobodys(facts))
    return f"{others} parcels for others' orders" if others else ""


def waiting(facts: ShopFacts) -> list[ParcelFact]:
    """Parcels that are still to be shipped."""
    return [one for one in facts.parcels or () if one.status in _WAITING]


def waits_are_limited(facts: ShopFacts) -> Violations | None:
    """No parcel waits for longer than the worker needs, counted from the hold's end where the parcel was held.

    A worker that is down explains a late parcel and does not excuse it: what was paid for is not sent. Where the
    worker is not part of the stack, nobody ships what an earlier stack left, and nothing is judged.
    """
    if facts.parcels is None or Store.SENDING not in facts.there:
        return None
    return [
        f"parcel {one.id}: order {one.order_id}, {one.status} for {one.late_seconds:.0f} s since it could be shipped"
        for one in waiting(facts)
        if one.late_seconds > SHIPPED_WITHIN_SECONDS
    ]


def held_in_words(facts: ShopFacts) -> str:
    """How many parcels are held on purpose, and so are not late; "" for none."""
    held = sum(one.late_seconds < 0 for one in waiting(facts))
    return f"{held} of them held until later" if held else ""


def status_is_the_newest_event(facts: ShopFacts) -> Violations | None:
    """A parcel's status and version are those of its newest event."""
    if facts.parcels is None:
        return None
    return [
        f"parcel {one.id}: order {one.order_id}, {one.status} at version {one.version},"
        f" its events say {one.by_events or 'nothing'} at version {one.events_version}"
        for one in facts.parcels
        if (one.status, one.version) != (one.by_events, one.events_version)
    ]


def with_labels(facts: ShopFacts) -> list[ParcelFact]:
    """Parcels whose label must be under ready/, or must no longer be there. For all others either is right."""
    return [one for one in facts.parcels or () if one.status in _WITH_LABEL or _is_called_off(one)]


def labels_are_there(facts: ShopFacts) -> Violations | None:
    """A parcel that is ready, shipped or returned has its whole label under ready/; a cancelled one has none."""
    if facts.parcels is None or facts.labels is None:
        return None
    broken = []
    for one in with_labels(facts):
        key = f"{READY}{one.id}"
        found = facts.labels.get(key)
        wanted = None if _is_called_off(one) else one.label_bytes
        if found != wanted:
            words = ["no object" if size is None else f"{size} bytes" for size in (found, wanted)]
            broken.append(
                f"parcel {one.id}: order {one.order_id}, {one.status}, {words[0]} at {key}, wanted {words[1]}"
            )
    return broken


def _is_called_off(one: ParcelFact) -> bool:
    return one.status == State.CANCELLED and not one.has_work  # its worker takes the label away first
