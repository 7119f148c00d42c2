"""The payment service keeps to its OpenAPI, whatever is sent: no error of its own, nothing unannounced."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.payment.app import Surroundings, create_app
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.postgres import Connection

pytestmark = pytest.mark.engines


async def nowhere() -> Connection:
    raise DatabaseDown("this app only tells its OpenAPI; the calls go to the real one")


schema = schemathesis.openapi.from_dict(create_app(ShopSettings(), Surroundings(nowhere, nowhere, "")).openapi())
# Our word for a key that is missing.
schema.config.checks.missing_required_header.expected_statuses = ["422", "428"]


@pytest.fixture(scope="module")
def url(stack: Stack, up: Callable[..., SupervisorClient]) -> str:
    up("payment-service")
    return stack.url("payment-service")


@schema.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_keeps_to_its_openapi(case: schemathesis.Case[Any], url: str) -> None:
    response = case.call(base_url=url)
    # What a schema cannot say: that a card is declined, or that the key was used for another request.
    declined = response.status_code == 402
    reused = response.status_code == 422 and response.json()["error"]["code"] == "key_reused"
    left_out = [schemathesis.checks.positive_data_acceptance] if declined or reused else []
    case.validate_response(response, excluded_checks=left_out)
