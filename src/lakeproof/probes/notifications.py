"""Questions about notifications: does the provider take any, how many tries failed, and why."""

import math
import smtplib

from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.engine import READER
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.prometheus import instant
from lakeproof.probes.reading import Value
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.stack import Stack

SERVICE, PROVIDER = "notification-service", "mail-sink"
ACCEPTS = "accepts"
FAILED, SENT = (f"sum(increase(notification_{one}_total[1m]))" for one in ("failure", "sent"))
SHARE = f"100 * {FAILED} / ({FAILED} + {SENT})"
REASONS = """
SELECT channel, reason, count(*) FROM notification.notifications
WHERE status = 'failed' AND updated_at > now() - interval '1 minute' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 5
"""


def provider_answer(stack: Stack, timeout: float) -> Value:
    """accepts, or the mail server's own words to a recipient. Nothing is sent: the mail is given up after RCPT.

    Raises: OSError (smtplib's errors are) where it does not speak SMTP.
    """
    host, port = stack.host_port(PROVIDER, "smtp")
    with smtplib.SMTP(host, port, local_hostname="probe.lakeproof", timeout=timeout) as server:
        server.ehlo_or_helo_if_needed()
        server.mail("probe@lakeproof.example")
        code, words = server.rcpt("probe@shop.example")
        server.rset()
    return ACCEPTS if code < 400 else f"{code} {words.decode(errors='replace')}"[:200]


def failure_share(stack: Stack, timeout: float) -> Value:
    """Percent of the tries of the last minute that failed; 0 where there was none. Raises: CouldNotLook."""
    found = [value for _, value in instant(stack, SHARE, timeout)]
    return round(found[0], 1) if found and not math.isnan(found[0]) else 0.0


def reasons(stack: Stack, timeout: float) -> Value:
    """Of what failed in the last minute: channel, reason, how many. Raises: CouldNotLook."""
    from lakeproof.stack.postgres_session import TROUBLES, select

    try:
        rows = select(stack, READER, f"postgres-{READER}", REASONS, seconds=timeout, database=DATABASE)
    except TROUBLES as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where="postgres") from error
    return "; ".join(f"{channel}: {reason}: {count}" for channel, reason, count in rows) or "none"


PROBES = (
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
)
