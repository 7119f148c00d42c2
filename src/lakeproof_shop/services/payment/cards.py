"""The shop's card processor. It moves no money: the token decides what happens, as in payment test systems."""

import hashlib

# Token → the code under which the card's bank declines. Every other token is good.
DECLINING = {
    "tok_declined": "card_declined",
    "tok_insufficient_funds": "insufficient_funds",
    "tok_expired": "expired_card",
    "tok_incorrect_cvc": "incorrect_cvc",
    "tok_lost": "lost_card",
    "tok_stolen": "stolen_card",
    "tok_fraud": "suspected_fraud",
}


def decline_code(token: str) -> str | None:
    """Why the bank declines a card, None where it does not."""
    return DECLINING.get(token)


def fingerprint(token: str) -> str:
    """The hash that is stored instead of a token: equal for equal tokens, and no token can be made from it."""
    return hashlib.sha256(token.encode()).hexdigest()[:24]
