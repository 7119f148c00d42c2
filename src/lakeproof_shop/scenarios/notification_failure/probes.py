"""Questions about notifications: does the provider take any, how many tries failed and why, how do campaigns go."""

import math
import smtplib
from collections.abc import Sequence
from functools import partial
from typing import Any

from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.prometheus import instant
from lakeproof.probes.reading import Value
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import event_shapes
from lakeproof_shop.scenarios.notification_failure.event_shapes import NONE, SERVICE
from lakeproof_shop.services.notification.models import SENDER

PROVIDER = "mail-sink"
ACCEPTS = "accepts"
FAILED, SENT = (f"sum(increase(notification_{one}_total[1m]))" for one in ("failure", "sent"))
SHARE = f"100 * {FAILED} / ({FAILED} + {SENT})"
# The limiter's errors by what was asked of Redis, and the dropped events by the reason why nobody was told.
LIMITER_ERRORS = "sum by (operation) (increase(notification_rate_limit_errors_total[1m])) > 0"
DROPS = "sum by (reason) (increase(notification_events_dropped_total[1m])) > 0"
REASONS = """
SELECT channel, reason, count(*) FROM notification.notifications
WHERE status = 'failed' AND updated_at > now() - interval '1 minute' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 5
"""
# Of batches that still go on. Limits and times are those of the alerts (scenarios/notification_failure/alerts.yml).
TURNED_DOWN_MANY, OPT_OUTS_MANY = 5, 20
SHOWN, AND = 5, " and "
_GOES_ON = "SELECT batch_id FROM notification.notifications WHERE due_at IS NOT NULL AND batch_id IS NOT NULL"
TURNED_DOWN = f"""
SELECT batch_id::text, count(*) FROM notification.notifications
WHERE status = 'dropped' AND reason = 'rate_limited' AND updated_at > now() - interval '1 minute'
  AND batch_id IN ({_GOES_ON})
GROUP BY 1 HAVING count(*) > {TURNED_DOWN_MANY} ORDER BY 2 DESC LIMIT 1
"""
# Customers opt out of a message that they got: a batch that has sent them nothing may have the same customers.
OPTED_OUT = f"""
SELECT n.batch_id::text, count(DISTINCT n.customer_id)
FROM notification.preferences p JOIN notification.notifications n USING (customer_id)
WHERE p.updated_at > now() - interval '15 minutes' AND p.opted_out <> '[]' AND n.sent_at <= p.updated_at
  AND n.batch_id IN ({_GOES_ON})
GROUP BY 1 HAVING count(DISTINCT n.customer_id) > {OPT_OUTS_MANY} ORDER BY 2 DESC, 1 LIMIT {SHOWN}
"""


def provider_answer(stack: Stack, timeout: float) -> Value:
    """accepts, or the mail server's own words to a recipient. Nothing is sent: the mail is given up after RCPT.

    The sender is the shop's own, for a mail server may accept one sender and refuse the next.
    Raises: OSError (smtplib's errors are) where it does not speak SMTP.
    """
    host, port = stack.host_port(PROVIDER, "smtp")
    with smtplib.SMTP(host, port, local_hostname="probe.lakeproof", timeout=timeout) as server:
        server.ehlo_or_helo_if_needed()
        server.mail(SENDER)
        code, words = server.rcpt("probe@shop.example")
        server.rset()
    return ACCEPTS if code < 400 else f"{code} {words.decode(errors='replace')}"[:200]


def failure_share(stack: Stack, timeout: float) -> Value:
    """Percent of the tries of the last minute that failed; 0 where there was none. Raises: CouldNotLook."""
    found = [value for _, value in instant(stack, SHARE, timeout)]
    return round(found[0], 1) if found and not math.isnan(found[0]) else 0.0


def reasons(stack: Stack, timeout: float) -> Value:
    """The channel, reason and number of what failed in the last minute; NONE. Raises: CouldNotLook."""
    rows = read_rows(stack, REASONS, seconds=timeout)
    return "; ".join(f"{channel}: {reason}: {count}" for channel, reason, count in rows) or NONE


def counted(stack: Stack, timeout: float, expression: str) -> Value:
    """The values of an expression by its one label: NONE, or `LABEL: 12`, the highest first. Raises: CouldNotLook."""
    found = [(next(iter(labels.values()), ""), value) for labels, value in instant(stack, expression, timeout)]
    most = sorted(found, key=lambda one: (-one[1], one[0]))
    return "; ".join(f"{label}: {value:.0f}" for label, value in most) or NONE


def turned_down(stack: Stack, timeout: float) -> Value:
    """NONE, or the batch of which the limiter turned down the most in the last minute while more of it waits:
    `ID: 12 turned down`. Raises: CouldNotLook.
    """
    return _batches(read_rows(stack, TURNED_DOWN, seconds=timeout), "turned down")


def opted_out(stack: Stack, timeout: float) -> Value:
    """NONE, or the batch after whose message the most customers opted out lately while more of it waits:
    `ID: 30 opted out`. Where as many opted out after another batch's message, both: `ID and ID: 30 opted out`.

    Raises: CouldNotLook.
    """
    return _batches(read_rows(stack, OPTED_OUT, seconds=timeout), "opted out")


def batch_of(value: Value) -> str:
    """The batch's id in what `turned_down` or `opted_out` gave; "" for NONE, and where it names several."""
    batch = "" if value == NONE else str(value).partition(":")[0]
    return "" if AND in batch else batch


def _batches(rows: Sequence[tuple[Any, ...]], what: str) -> str:
    """The batches with the highest count, in words. rows: the highest count first."""
    most = [batch for batch, count in rows if count == rows[0][1]]
    return f"{AND.join(most)}: {rows[0][1]} {what}" if most else NONE


PROBES = (
    *event_shapes.PROBES,
    Probe(
        "provider-answer",
        PROVIDER,
        "SMTP: MAIL FROM, RCPT TO, RSET",
        "",
        provider_answer,
        Condition(Operator.IS, ACCEPTS),
        within=SERVICE,
    ),
    Probe(
        "notification-failure-share",
        "prometheus",
        SHARE,
        "%",
        failure_share,
        about=(SERVICE, PROVIDER),
        within=SERVICE,
    ),
    Probe(
        "notification-failures",
        "postgres",
        "notifications that failed in the last minute, by channel and reason",
        "",
        reasons,
        about=(SERVICE, PROVIDER),
        within=SERVICE,
    ),
    Probe(
        "notification-limiter-errors-by-operation",
        "prometheus",
        LIMITER_ERRORS,
        "",
        partial(counted, expression=LIMITER_ERRORS),
        about=(SERVICE, "redis"),
        within=SERVICE,
    ),
    Probe(
        "notification-drops-by-reason",
        "prometheus",
        DROPS,
        "",
        partial(counted, expression=DROPS),
        about=(SERVICE,),
        within=SERVICE,
    ),
    Probe(
        "campaign-turned-down",
        "postgres",
        "dropped as rate_limited in the last minute, by batch that goes on",
        "",
        turned_down,
        Condition(Operator.IS, NONE),
        about=(SERVICE,),
        within=SERVICE,
        steady=True,
    ),
    Probe(
        "campaign-opt-outs",
        "postgres",
        "customers who opted out in the last 15 minutes, after the message of a batch that goes on",
        "",
        opted_out,
        Condition(Operator.IS, NONE),
        about=(SERVICE,),
        within=SERVICE,
        steady=True,
    ),
)
