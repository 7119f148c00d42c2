"""Claims about what customers see and say: whole timelines, one case for each complaint, files as they were sent,
preferences that stay.
"""

from collections import Counter

from lakeproof_shop.customers.kept import is_kept
from lakeproof_shop.proof.claims.facts import ShopFacts, Violations
from lakeproof_shop.services.support.models import Place


def timelines_are_whole(facts: ShopFacts) -> Violations | None:
    """What support shows of an order is what the stores of order, payment and fulfillment hold, no more, no less."""
    if facts.timelines is None:
        return None
    broken = []
    for one in facts.timelines:
        shown, held = Counter(one.shown), Counter(one.held)
        if shown != held:
            lacks = ", ".join(f"{entry[2]} {entry[3]}" for entry in held - shown)
            old = ", ".join(f"{entry[2]} {entry[3]}" for entry in shown - held)
            broken.append(
                f"case {one.case_id}: order {one.order_id}: lacks {lacks or 'nothing'};"
                f" shows {old or 'nothing'} that is not so"
            )
    return broken


def cases_in_words(facts: ShopFacts) -> str:
    """How many cases there are, and the seed of the sample; "" where all were looked at."""
    return f"of {facts.cases}; the others by seed {facts.seed}" if facts.cases > len(facts.timelines or ()) else ""


def complaints_are_kept_once(facts: ShopFacts) -> Violations | None:
    """An acknowledged complaint or attachment is in the acknowledged case, once. One that is known not to have been
    made, or that was refused, is in no case; an unclear one is in at most one case.
    """
    if facts.told is None:
        return None
    return [
        f"contact {one.key}: {_as_answered(one.ref)}, found in {list(one.cases)}"
        for one in facts.told
        if (len(one.cases) > 1 if one.ref is None else one.cases != ((one.ref,) if one.ref else ()))
    ]


def _as_answered(ref: int | None) -> str:
    if ref is None:
        return "never answered clearly"
    return f"acknowledged as case {ref}" if ref else "refused or never made"


def attachments_are_as_uploaded(facts: ShopFacts) -> Violations | None:
    """The bytes of every attachment are those that were uploaded, wherever they lie now."""
    if facts.attachments is None:
        return None
    return [
        f"attachment {one.id}: of case {one.case_id}, in the {'folder' if one.place == Place.LOCAL else 'archive'}: "
        + (
            f"{one.found_size} bytes with sha256 {one.found_sha256[:12]}…, its row says {one.size} with"
            f" {one.sha256[:12]}…"
            if one.found_size >= 0
            else "it is not there"
        )
        for one in facts.attachments
        if (one.found_size, one.found_sha256) != (one.size, one.sha256)
    ]


def unread_in_words(facts: ShopFacts) -> str:
    """How many attachments there are, and the seed of the sample; "" where all were read."""
    if facts.all_attachments <= len(facts.attachments or ()):
        return ""
    return f"of {facts.all_attachments}; the newest, and others by seed {facts.seed}"


def preferences_are_kept(facts: ShopFacts) -> Violations | None:
    """A customer's preferences are the last acknowledged ones; a newer version comes only from an unclear call."""
    if facts.preferences is None:
        return None
    return [
        f"customer {one.customer_id}: said {' or '.join(said or 'nothing' for said in one.acked) or 'two things'}"
        f" (version {one.acked_version}), kept {one.kept or 'nothing'} (version {one.version})"
        for one in facts.preferences
        if not is_kept(one)
    ]
