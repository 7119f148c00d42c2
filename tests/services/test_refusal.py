"""How an answer's body becomes JSON."""

from uuid import UUID

from lakeproof_shop.serving.refusal import json_response


def test_a_drivers_own_kind_of_uuid_is_written_as_any_uuid() -> None:
    class DriversUuid(UUID):
        pass

    text = "c86472f7-1d43-5391-8107-6004500dcf58"
    assert json_response({"id": DriversUuid(text)}).body == json_response({"id": UUID(text)}).body
