"""Steps that look like a repair of notification-failure, and are none."""

import smtplib
from email.message import EmailMessage
from email.utils import make_msgid

from pydantic import Field

from lakeproof.errors import TerminalError
from lakeproof.processes.environment import MESSAGE_LIMIT
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.postgres_session import TROUBLES, connection
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.handed_setting import HandedSetting
from lakeproof.wrong_fixes.wrong_step import WrongStep
from lakeproof_shop.scenarios.notification_failure.event_shapes import SERVICE
from lakeproof_shop.services.notification.models import SENDER

SCHEMA = "notification"

SECONDS = 10.0

DELETE = "DELETE FROM notifications WHERE status = 'failed'"


class DeleteFailedNotifications(WrongStep):
    """Delete the notifications that failed (loses messages)."""

    def typed(self, stack: Stack) -> str:
        """The statement in psql."""
        return f'psql {DATABASE} -c "{DELETE}"'

    def run(self, stack: Stack) -> str:
        """Delete the failed notifications."""
        try:
            with connection(
                stack, f"{SCHEMA}_service", f"postgres-{SCHEMA}-service", SECONDS, DATABASE, SCHEMA
            ) as session:
                return f"{session.execute(DELETE.encode()).rowcount} notifications are deleted"
        except TROUBLES as error:
            raise TerminalError(f"not deleted: {error}", where="postgres", next_action="is PostgreSQL up?") from error


class RaiseMessageLimit(HandedSetting):
    """Let each customer have any number of messages (mends nothing).

    A wrong fix: let each customer have as many messages as anybody sends. The limiter turns nothing down any more,
    and a campaign goes to its customer all at once. Where it is the provider that refuses, nothing is mended at all.

    `messages`: the new notification_rate_limit of the notification service, more than any customer gets.
    """

    service = SERVICE
    variable = MESSAGE_LIMIT
    after = "{service} lets a customer have {value} messages in a window"

    messages: int = Field(1_000_000, ge=1, le=1_000_000)


PROVIDER = "mail-sink"

# Mails of the last quarter of an hour whose first try failed, whether or not a later one succeeded.
FAILED = """
SELECT recipient, subject, body FROM notification.notifications
WHERE channel = 'email' AND (attempts > 1 OR status = 'failed') AND created_at > now() - interval '15 minutes'
ORDER BY created_at LIMIT 200
"""


class SendAgainByHand(WrongStep):
    """Mail by hand what failed, beside the service (customers get it twice)."""

    def typed(self, stack: Stack) -> str:
        """A mail program and a list of customers."""
        host, port = stack.host_port(PROVIDER, "smtp")
        return f"for each notification that failed: swaks --server {host}:{port} --from {SENDER} --to RECIPIENT"

    def run(self, stack: Stack) -> str:
        """Send the mails. Raises: CouldNotLook, TerminalError."""
        failed = read_rows(stack, FAILED, seconds=SECONDS)
        host, port = stack.host_port(PROVIDER, "smtp")
        try:
            with smtplib.SMTP(host, port, timeout=SECONDS) as smtp:
                for recipient, subject, body in failed:
                    smtp.send_message(_mail(recipient, subject, body))
        except (smtplib.SMTPException, OSError) as error:
            raise TerminalError(f"not sent: {error}", where=PROVIDER) from error
        return f"{len(failed)} mails are sent again by hand"


def _mail(recipient: str, subject: str, body: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, recipient, subject
    mail["Message-ID"] = make_msgid(domain="office.lakeproof.example")
    mail.set_content(body)
    return mail
