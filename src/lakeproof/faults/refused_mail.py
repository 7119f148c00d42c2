"""The provider refuses the shop's account: it answers and is well, and takes no message."""

from typing import Annotated

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.notifications import PROVIDER, provider_answer
from lakeproof.shop.mail_sink.account import ask_refusal
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 3.0


class RefusedMail(Arguments):
    """`answer`: what the provider says; the shop tries again after a 4xx, not after a 5xx."""

    answer: Annotated[str, Field(pattern=r"^[45]\d\d [ -~]{1,200}$")] = "451 4.7.1 this account is over its limit"


def inject(stack: Stack, arguments: RefusedMail) -> None:
    """Have the provider refuse."""
    ask_refusal(stack.url(PROVIDER), arguments.answer)


def remove(stack: Stack, _: RefusedMail) -> None:
    """Have the provider take messages again."""
    ask_refusal(stack.url(PROVIDER), "")


def sign(stack: Stack, arguments: RefusedMail) -> Sign:
    """The mail server says these very words to a recipient: an earlier refusal is not this fault's."""
    answer = provider_answer(stack, LOOK_SECONDS)
    return Sign(answer == arguments.answer, f"the mail server says: {answer}")


FAULT = Fault("refused_mail", "have the mail provider refuse the shop's account", inject, remove, sign, RefusedMail)
