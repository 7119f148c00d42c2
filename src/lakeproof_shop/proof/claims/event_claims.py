"""Claims about events: none waits for long, Kafka has those marked as sent, and each is acted on once."""

from lakeproof_shop.proof.claims.facts import ShopFacts, Store, Violations

UNSENT_SECONDS = 60.0


def events_are_sent(facts: ShopFacts) -> Violations | None:
    """No event waits for Kafka for longer than its relay needs, where the service that sends it is part of the stack.

    Inventory's events have no age. So a SKU breaks the claim where its relay stands at the same event at every look.
    """
    totals = facts.totals if Store.SHELVING in facts.there else None
    outboxes = [one for one in facts.outboxes or () if f"{one.service}-service" in facts.there]
    if totals is None and not outboxes:
        return None
    standing = [
        f"inventory {one.sku} after event {one.sent}: {one.events - one.sent} events unsent"
        for one in totals or ()
        if one.events > one.sent
    ]
    return standing + [
        f"{one.service}: {one.unsent} events unsent, the oldest for {one.oldest_unsent_seconds:.0f} s"
        for one in outboxes
        if one.unsent and one.oldest_unsent_seconds > UNSENT_SECONDS
    ]


def sent_events_are_in_kafka(facts: ShopFacts) -> Violations | None:
    """Every event that its sender marked as sent is in the service's topic, by the event's id. The mark proves
    nothing.
    """
    if facts.deliveries is None:
        return None
    return [
        f"event {event.event_id}: marked as sent by {event.service}, and not in its topic"
        for one in facts.deliveries
        for event in one.missing
    ] + [
        f"{one.service} {gap}: it was sent, and is gone from the store"
        for one in facts.deliveries
        for gap in one.gaps
    ]


def not_asked_in_words(facts: ShopFacts) -> str:
    """How many sent events could not be asked for, and why; "" for none."""
    gone = sum(one.gone for one in facts.deliveries or ())
    beyond = {one.service: one.beyond for one in facts.deliveries or () if one.beyond}
    return "; ".join(
        [
            *([f"{gone} more are of a time that their topic does not keep any more"] if gone else []),
            *(f"{service}: {count} more were too many to ask for" for service, count in beyond.items()),
        ]
    )


def changes_are_told(facts: ShopFacts) -> Violations | None:
    """Every change in a service's history has an event, which was sent or waits in the outbox."""
    if facts.changes is None:
        return None
    return [
        f"{one.service} change {name}: no event in the outbox or the topic tells of it"
        for one in facts.changes
        for name in one.untold
    ]


def judged_changes(facts: ShopFacts) -> int:
    """How many changes could be judged."""
    return sum(one.rows - one.beyond - one.gone for one in facts.changes or ())


def unjudged_changes_in_words(facts: ShopFacts) -> str:
    """How many changes could not be judged, and why; "" for none."""
    gone = sum(one.gone for one in facts.changes or ())
    beyond = sum(one.beyond for one in facts.changes or ())
    return "; ".join(
        [
            *([f"{gone} more are so old that their events are kept no more"] if gone else []),
            *([f"{beyond} more were too many to look for"] if beyond else []),
        ]
    )


def events_are_acted_on_once(facts: ShopFacts) -> Violations | None:
    """Each event that customers are notified about has a notification, or a reason why nobody is notified.

    There cannot be a second notification: its id is the event's, which is also the key of the consumer's table.
    """
    if facts.acts is None:
        return None
    return [
        f"event {one.event_id}: {one.type} is "
        + (
            "told and dropped"
            if one.notified and one.dropped
            else "taken and not told"
            if one.consumed
            else "not taken"
        )
        for one in facts.acts
        if not one.consumed or one.notified is (one.dropped is not None)
    ]
