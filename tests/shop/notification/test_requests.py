"""What callers may ask, and what never gets in."""

import pytest
from pydantic import ValidationError

from lakeproof_shop.services.notification.requests import BatchRequest, CreateRequest, PreferencesRequest

GOOD = {
    "customer_id": 5,
    "channel": "email",
    "to": "customer-5@example.org",
    "subject": "Grüße",
    "body": "Text\nTwo",
    "topic": "order",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "nobody"},
        {"to": "a@b\r\nBcc: c@d"},
        {"to": "a b@c.org"},
        {"to": "<a@b.org>"},
        {"to": "a..b@c.org"},
        {"subject": "a\nBcc: c@d"},
        {"subject": "a\u2028b"},
        {"subject": ""},
        {"body": "nul \x00"},
        {"body": "x" * 10_001},
        {"topic": "weather"},
        {"channel": "pigeon"},
        {"customer_id": 0},
        {"customer_id": "5"},
        {"customer_id": 2**53},
        {"more": 1},
        {"client_key": "with space"},
        {"subject": "\ud800"},
    ],
)
def test_what_would_break_a_mail_or_a_table_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CreateRequest.model_validate(GOOD | wrong)


def test_a_webhooks_address_is_the_providers_matter() -> None:
    assert CreateRequest.model_validate(GOOD | {"channel": "webhook", "to": "https://x.example/hook"}).to


def test_the_key_is_no_part_of_what_is_asked() -> None:
    with_key = CreateRequest.model_validate(GOOD | {"client_key": "k"})
    assert with_key.canonical() == CreateRequest.model_validate(GOOD).canonical()
    other = CreateRequest.model_validate(GOOD | {"body": "Text"})
    assert other.canonical() != with_key.canonical()


def test_every_recipient_of_a_batch_is_looked_at() -> None:
    batch = {name: GOOD[name] for name in ("channel", "topic", "subject", "body")}
    good, bad = {"customer_id": 1, "to": "a@b.org"}, {"customer_id": 2, "to": "nobody"}
    assert BatchRequest.model_validate(batch | {"recipients": [good]}).spread_seconds == 0
    for recipients in ([good, bad], [], [good] * 501):
        with pytest.raises(ValidationError):
            BatchRequest.model_validate(batch | {"recipients": recipients})


def test_opt_outs_are_a_set_in_one_order() -> None:
    one, two = {"topic": "marketing", "channel": "*"}, {"topic": "*", "channel": "webhook"}
    first = PreferencesRequest.model_validate({"opted_out": [one, two, one]})
    second = PreferencesRequest.model_validate({"opted_out": [two, one]})
    assert first.opt_outs() == second.opt_outs()
    assert first.canonical() == second.canonical() == "*/webhook,marketing/*"
