"""The shop's card processor, which moves no money: what a token says happens, as in payment test systems."""

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
    """What is kept of a token: equal for equal tokens, and no token can be made of it."""
    return hashlib.sha256(token.encode()).hexdigest()[:24]
