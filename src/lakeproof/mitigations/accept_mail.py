"""Have the mail provider take the shop's messages again. What it refused meanwhile the service sends by itself."""

from lakeproof.arguments import Arguments
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.shop.mail_sink.account import ask_refusal
from lakeproof.stack.stack import Stack

PROVIDER = "mail-sink"


def typed(stack: Stack, arguments: Arguments) -> str:
    """The provider's own call; with a real one: pay, or ask for a higher limit."""
    body = "-H 'content-type: application/json' -d '{\"refusal\": \"\"}'"
    return f"curl -X PUT {body} {stack.url(PROVIDER)}/account"


def run(stack: Stack, arguments: Arguments) -> str:
    """Nothing changes where the provider takes the messages already."""
    ask_refusal(stack.url(PROVIDER), "")
    return "the provider takes the shop's messages; those that it refused are tried again by the notification service"


MITIGATION = Mitigation("accept_mail", "have the mail provider take the shop's messages again", typed, run)
