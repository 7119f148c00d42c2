"""What every service says alike: the headers of an answer, and the key of a create."""

import pytest

from lakeproof_shop.serving.answering import headers_of, one_key
from lakeproof_shop.serving.refusal import Refusal


def test_an_answer_names_its_version_and_whether_it_was_given_before() -> None:
    assert headers_of(3) == {"etag": '"3"'}
    assert headers_of(0, replayed=True) == {"etag": '"0"', "idempotent-replayed": "true"}
    assert headers_of(replayed=True) == {"idempotent-replayed": "true"}
    assert headers_of() == {}


def test_a_key_may_stand_in_the_header_in_the_body_or_in_both_alike() -> None:
    assert one_key("a", None) == one_key(None, "a") == one_key("a", "a") == "a"


@pytest.mark.parametrize(
    ("header", "client_key", "words"), [("a", "b", "two different keys"), (None, None, "a key is missing")]
)
def test_two_keys_and_none_are_refused(header: str | None, client_key: str | None, words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        one_key(header, client_key)
    assert (refused.value.status, refused.value.fields[0][0]) == (422, "client_key")
