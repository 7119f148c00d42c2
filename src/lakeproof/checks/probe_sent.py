"""A notification is made and sent as a caller would, and the metrics tell of it: the runbook's synthetic probe.

This check acts: each look sends one message to an address of the rehearsals.
"""

from typing import Any

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.shop.notification.client import NotificationClient
from lakeproof.shop.notification.synthetic import probe

CLAIM = "a notification of the synthetic probe is sent, and the metrics tell of it"
SERVICE = "notification-service"


def baseline(context: CheckContext, arguments: Arguments) -> Baseline:
    """The claim holds before the fault too."""
    return Baseline(_look(context))


def verify(context: CheckContext, arguments: Arguments, before: Baseline) -> Verdict:
    """The claim holds. Raises: CouldNotLook where the service shows no metrics."""
    return _look(context)


def _look(context: CheckContext) -> Verdict:
    found: dict[str, Any] = {}
    with NotificationClient(context.stack.url(SERVICE)) as client:
        probe(client, found)
    if not found["ok"]:
        return Verdict(CLAIM, Outcome.FAILED, found["problem"])
    took = f"made in {found['createSeconds']:.2f} s, sent in {found['sendSeconds']:.2f} s"
    moved = ", ".join(f"{name} +{one['delta']:g}" for name, one in found["metrics"].items())
    return Verdict(CLAIM, Outcome.PASSED, f"{took}; {moved}")


CHECK = Check("probe_sent", CLAIM, baseline, verify, acts=True)
