"""All claims on the shop's stores, by name. A claim is judged by a pure function of the facts (`*_claims.py`), which
gives what breaks the claim, or None where a store that the claim is about is not part of the stack.

A checkout that is under way breaks nothing yet. What breaks a claim only for a moment, since the stores are read one
after the other, is gone at the next look (looking.py).
"""

from collections.abc import Callable, Set, Sized
from dataclasses import dataclass
from operator import attrgetter

from lakeproof.proof.report import ClaimReport
from lakeproof_shop.proof.claims.contact_claims import (
    attachments_are_as_uploaded,
    cases_in_words,
    complaints_are_kept_once,
    preferences_are_kept,
    timelines_are_whole,
    unread_in_words,
)
from lakeproof_shop.proof.claims.event_claims import (
    changes_are_told,
    events_are_acted_on_once,
    events_are_sent,
    judged_changes,
    not_asked_in_words,
    sent_events_are_in_kafka,
    unjudged_changes_in_words,
)
from lakeproof_shop.proof.claims.facts import ACT_SECONDS, ACTS_WITHIN_SECONDS, Part, ShopFacts, Violations
from lakeproof_shop.proof.claims.money_claims import (
    captured_is_shipped_refunded_or_open,
    checkouts_make_sense,
    failed,
    money_adds_up,
    no_checkout_is_stuck,
    nothing_stays_authorized_for_a_failure,
    others_in_words,
    purchases_have_their_checkout,
)
from lakeproof_shop.proof.claims.parcel_claims import (
    SHIPPED_WITHIN_SECONDS,
    bought_is_sent_once,
    held_in_words,
    labels_are_there,
    others_parcels_in_words,
    status_is_the_newest_event,
    waiting,
    waits_are_limited,
    with_labels,
)
from lakeproof_shop.proof.claims.purchases import ended_count
from lakeproof_shop.proof.claims.stock_claims import (
    bought_is_sold,
    held_lines,
    moving_skus,
    nothing_is_held_past_its_time,
    stock_adds_up,
    what_came_back_is_received_once,
    with_lines,
    with_receipts,
)


@dataclass(frozen=True)
class Claim:
    """judge: gives what breaks the claim. needs: the parts of the facts that the judge looks at.

    count: the subjects that were judged, or their number. subjects: their name, in the plural.
    aside: in words, which of the subjects the claim lets pass, and what could not be judged; "" for nothing.
    unsettled: how many more subjects were not judged, since they changed each time that they were read.
    each: the subjects that were judged, as the violations name them, where a look may leave one out that an earlier
    look judged; None: every look judges all that is named to it.
    """

    judge: Callable[[ShopFacts], Violations | None]
    needs: Set[Part]
    subjects: str
    count: Callable[[ShopFacts], Sized | int | None]
    aside: Callable[[ShopFacts], str] = lambda facts: ""
    unsettled: Callable[[ShopFacts], int] = lambda facts: 0
    each: Callable[[ShopFacts], Set[str]] | None = None

    def __call__(self, facts: ShopFacts) -> Violations | None:
        """What breaks the claim; None where its stores are not part of the stack, or could not be read."""
        return self.judge(facts) if self.is_judged_by(facts) else None

    def is_judged_by(self, facts: ShopFacts) -> bool:
        """False where something that the claim needs could not be read."""
        return not self.needs & facts.unknown.keys()

    def report(self, name: str, violations: Violations, facts: ShopFacts) -> ClaimReport:
        """The claim's report: what breaks the claim, and how many subjects were judged."""
        judged = self.count(facts) or 0
        counted = (
            judged if isinstance(judged, int) else len(judged),
            self.subjects,
            self.aside(facts),
            self.unsettled(facts),
        )
        return ClaimReport(name, tuple(violations), *counted)


CLAIMS: dict[str, Claim] = {
    "shop: each payment is the sum of its events": Claim(
        money_adds_up, {Part.PAYMENTS}, "payments", attrgetter("payments")
    ),
    "shop: captured money is shipped, refunded or open, and belongs to one paid order": Claim(
        captured_is_shipped_refunded_or_open,
        {Part.CHECKOUTS, Part.PAYMENTS},
        "ended checkouts and payments",
        lambda facts: ended_count(facts) + len(facts.payments or ()),
        others_in_words,
    ),
    "shop: nothing stays authorized for a checkout that failed": Claim(
        nothing_stays_authorized_for_a_failure,
        {Part.CHECKOUTS, Part.PAYMENTS},
        "failed checkouts",
        failed,
    ),
    "shop: what was bought is sent, once": Claim(
        bought_is_sent_once,
        {Part.CHECKOUTS, Part.PARCELS},
        "ended checkouts",
        ended_count,
        others_parcels_in_words,
    ),
    f"shop: no parcel waits for over {SHIPPED_WITHIN_SECONDS / 60:g} min past its hold": Claim(
        waits_are_limited,
        {Part.PARCELS},
        "parcels to be shipped",
        waiting,
        held_in_words,
    ),
    "shop: a parcel is where its newest event says": Claim(
        status_is_the_newest_event, {Part.PARCELS}, "parcels", attrgetter("parcels")
    ),
    "shop: what is shipped has its label, what was cancelled has none": Claim(
        labels_are_there,
        {Part.PARCELS, Part.LABELS},
        "parcels that are ready, shipped, returned or cancelled",
        with_labels,
    ),
    "shop: each acknowledged purchase has its checkout": Claim(
        purchases_have_their_checkout,
        {Part.PURCHASES, Part.CHECKOUTS},
        "acknowledged purchases",
        attrgetter("purchases"),
    ),
    "shop: each checkout is at a step that there is, and names what was asked for": Claim(
        checkouts_make_sense, {Part.CHECKOUTS}, "checkouts", attrgetter("checkouts")
    ),
    "shop: no checkout is stuck": Claim(no_checkout_is_stuck, {Part.CHECKOUTS}, "checkouts", attrgetter("checkouts")),
    "shop: received - sold - reserved = on hand, never below zero": Claim(
        stock_adds_up,
        {Part.STOCK},
        "SKUs that did not change meanwhile",
        lambda facts: len(facts.totals or ()) - moving_skus(facts),
        unsettled=moving_skus,
        each=lambda facts: facts.steady,
    ),
    "shop: what was bought is sold, what failed holds nothing": Claim(
        bought_is_sold,
        {Part.CHECKOUTS, Part.STOCK},
        "ended checkouts of the time that inventory keeps lines",
        with_lines,
    ),
    "shop: nothing is held past its time": Claim(
        nothing_is_held_past_its_time, {Part.STOCK}, "held lines", held_lines
    ),
    "shop: what was cancelled or returned is on the shelf again, once": Claim(
        what_came_back_is_received_once,
        {Part.CHECKOUTS, Part.STOCK},
        "ended checkouts of the time that inventory keeps lines",
        with_receipts,
    ),
    "shop: events reach Kafka": Claim(
        events_are_sent,
        {Part.OUTBOXES, Part.STOCK},
        "outboxes and SKUs",
        lambda facts: len(facts.outboxes or ()) + len(facts.totals or ()),
    ),
    "shop: events that count as sent are in Kafka's topics": Claim(
        sent_events_are_in_kafka,
        {Part.DELIVERIES},
        "events that are marked as sent",
        lambda facts: sum(one.asked for one in facts.deliveries or ()),
        not_asked_in_words,
    ),
    "shop: an event tells of every change": Claim(
        changes_are_told,
        {Part.CHANGES},
        "changes of payments, parcels and cases",
        judged_changes,
        unjudged_changes_in_words,
    ),
    f"shop: events of the last {ACTS_WITHIN_SECONDS / 3600:g} h are acted on, once": Claim(
        events_are_acted_on_once,
        {Part.ACTS},
        f"events sent {ACT_SECONDS:g} s ago or longer",
        attrgetter("acts"),
        each=lambda facts: {f"event {one.event_id}" for one in facts.acts or ()},
    ),
    "shop: timelines are whole, and show nothing old": Claim(
        timelines_are_whole,
        {Part.TIMELINES},
        "cases that have an order",
        attrgetter("timelines"),
        cases_in_words,
        each=lambda facts: {f"case {one.case_id}" for one in facts.timelines or ()},
    ),
    "shop: who complained has one case with it": Claim(
        complaints_are_kept_once,
        {Part.CONTACTS},
        "complaints and attachments",
        attrgetter("told"),
    ),
    "shop: each attachment is what was uploaded": Claim(
        attachments_are_as_uploaded,
        {Part.ATTACHMENTS},
        "attachments, byte by byte",
        attrgetter("attachments"),
        unread_in_words,
        each=lambda facts: {f"attachment {one.id}" for one in facts.attachments or ()},
    ),
    "shop: who opted out stays opted out": Claim(
        preferences_are_kept,
        {Part.CONTACTS},
        "customers who told preferences",
        attrgetter("preferences"),
    ),
}
