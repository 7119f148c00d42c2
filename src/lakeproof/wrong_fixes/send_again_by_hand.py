"""A wrong fix: mail by hand to everybody whose mail had failed. The service tries those again: they get two."""

import smtplib
from email.message import EmailMessage
from email.utils import make_msgid

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.services.database.rows import read_rows
from lakeproof.shop.notification.models import SENDER
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

PROVIDER = "mail-sink"
SECONDS = 10.0
# Mails of the last quarter of an hour whose first try failed, whether or not a later one succeeded.
FAILED = """
SELECT recipient, subject, body FROM notification.notifications
WHERE channel = 'email' AND (attempts > 1 OR status = 'failed') AND created_at > now() - interval '15 minutes'
ORDER BY created_at LIMIT 200
"""


def typed(stack: Stack, arguments: Arguments) -> str:
    """A mail program and a list of customers."""
    host, port = stack.host_port(PROVIDER, "smtp")
    return f"for each notification that failed: swaks --server {host}:{port} --from {SENDER} --to RECIPIENT"


def run(stack: Stack, arguments: Arguments) -> str:
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


WRONG_STEP = WrongStep(
    "send_again_by_hand", "mail by hand what failed, beside the service (customers get it twice)", typed, run
)
