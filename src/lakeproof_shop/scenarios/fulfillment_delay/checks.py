"""Checks of the scenario fulfillment-delay."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.tries import look_until_passed
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.errors import LakeproofError
from lakeproof.proof.report import KEYS_SHOWN
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.fulfillment.holds_by_hand import listed, store_told
from lakeproof_shop.services.fulfillment.label import PENDING, make_label
from lakeproof_shop.services.fulfillment.label_store import is_whole

READ_SECONDS = 10.0

UNSHIPPED = ("requested", "label_pending", "label_ready")

# The last column, `wished`: the parcel is held until the time that its buyer asked for with the order.
PARCELS = f"""
SELECT f.id, f.order_id, f.address, f.items, f.status,
       (SELECT count(*) FROM fulfillment.fulfillment_events e WHERE e.fulfillment_id = f.id AND e.type = 'shipped'),
       f.hold_until > now() AND EXISTS (SELECT FROM fulfillment.fulfillment_operations o
         WHERE o.fulfillment_id = f.id AND o.version = 1 AND o.hold_until = f.hold_until)
FROM fulfillment.fulfillments f WHERE f.id IN (
  (SELECT id FROM fulfillment.fulfillments ORDER BY id DESC LIMIT $1)
  UNION
  (SELECT id FROM fulfillment.fulfillments WHERE status IN {UNSHIPPED})
) ORDER BY f.id DESC
"""


class ParcelsShipped(Check):
    """Every parcel is shipped once, with its label under ready/ byte for byte.

    Every parcel is shipped once, and its label is under ready/ byte for byte; nothing waits but by a buyer's wish.

    The label of each shipped parcel is read, and compared with the one made anew from the database's row. The bound:
    only the newest parcels are looked at, and all that wait, however old.

    `newest`: how many of the newest parcels are looked at, beside all that wait.
    `seconds`: how long `verify` waits for parcels that are under way.
    """

    newest: int = Field(500, ge=1, le=10_000)
    seconds: float = Field(40.0, gt=0, le=600)

    def baseline(self, context: CheckContext) -> Baseline:
        """The claim holds before the fault, except for parcels that are under way."""
        return Baseline(self._look(context.stack, waiting_is_fine=True))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The claim holds after the repair, once the worker has caught up."""
        return look_until_passed(context, self.seconds, "parcels", lambda: self._look(context.stack))

    def _look(self, stack: Stack, *, waiting_is_fine: bool = False) -> Verdict:
        try:
            parcels = [_parcel(row) for row in read_rows(stack, PARCELS, self.newest, seconds=READ_SECONDS)]
            client = s3_client(stack)
            with store_told():
                left = {key for key, _ in listed(client, PENDING)}
                spoilt = [
                    one.id
                    for one in parcels
                    if one.status in ("shipped", "returned") and not is_whole(client, f"ready/{one.id}", one.sha256)
                ]
        except LakeproofError as error:
            return Verdict(self.summary, Outcome.UNKNOWN, error.message)
        which = f" (the newest {self.newest}, and all that wait)" if len(parcels) >= self.newest else ""
        return judge(parcels, spoilt, left, which, waiting_is_fine=waiting_is_fine)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One parcel. shipped: how many `shipped` events it has. wished: its buyer asked that it be held until later."""

    id: int
    status: str
    shipped: int
    wished: bool
    sha256: str

    @property
    def waits(self) -> bool:
        """True for a parcel that should be shipped and is not."""
        return self.status in UNSHIPPED and not self.wished


def _parcel(row: Sequence[Any]) -> Parcel:
    number, order_id, address, items, status, shipped, wished = row
    return Parcel(number, status, shipped, bool(wished), make_label(number, order_id, address, items).sha256)


def judge(
    parcels: Sequence[Parcel],
    spoilt: Sequence[int],
    left: set[str],
    which: str = "",
    *,
    waiting_is_fine: bool = False,
) -> Verdict:
    """spoilt: ids of shipped parcels whose label is missing or differs. left: keys under pending/. which: in words,
    which parcels were looked at; "" for all.
    """
    waits = [one.id for one in parcels if one.waits] if not waiting_is_fine else []
    done = [one for one in parcels if one.status in ("shipped", "returned")]
    wrong = [one.id for one in done if one.shipped != 1]
    behind = [one.id for one in done if f"{PENDING}{one.id}" in left] if not waiting_is_fine else []
    numbers = {
        "parcels": float(len(parcels)),
        "shipped": float(len(done)),
        "waiting": float(len(waits)),
        "wished": float(sum(one.wished for one in parcels)),
        "not_once": float(len(wrong)),
        "labels_wrong": float(len(spoilt)),
    }
    troubles = [
        f"{len(found)} {words}"
        for found, words in (
            (waits, "parcels wait"),
            (wrong, "are shipped without one event that says so"),
            (spoilt, "have no label under ready/ byte for byte"),
            (behind, "are shipped and still have a label under pending/"),
        )
        if found
    ]
    if troubles:
        keys = tuple(f"parcel {one}" for one in sorted({*waits, *wrong, *spoilt, *behind}))
        return Verdict(ParcelsShipped.summary, Outcome.FAILED, "; ".join(troubles), numbers, keys[:KEYS_SHOWN])
    if not done and not waiting_is_fine:
        return Verdict(ParcelsShipped.summary, Outcome.UNKNOWN, "no parcel is shipped yet", numbers)
    return Verdict(
        ParcelsShipped.summary,
        Outcome.PASSED,
        f"{len(done)} of {len(parcels)} parcels{which} shipped, each once",
        numbers,
    )
