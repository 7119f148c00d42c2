"""The payment service keeps to its OpenAPI, whatever is sent: no error of its own, nothing unannounced."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof]

# 422 is our word for a key that was used for another request: of all that a schema allows, only the service knows it.
# 428 is our word for a missing key.
KEY_REUSED = "key_reused"
schema = schemathesis.pytest.from_fixture("described")


@pytest.fixture(scope="module")
def described(stack: Stack, up: Callable[..., SupervisorClient]) -> schemathesis.BaseSchema:
    up("payment-service")
    found = schemathesis.openapi.from_url(f"{stack.url('payment-service')}/openapi.json")
    found.config.checks.missing_required_header.expected_statuses = ["422", "428"]
    return found


@schema.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_keeps_to_its_openapi(case: schemathesis.Case[Any]) -> None:
    response = case.call()
    left_out = []
    if response.status_code == 422 and response.json()["error"]["code"] == KEY_REUSED:
        left_out.append(schemathesis.checks.positive_data_acceptance)
    case.validate_response(response, excluded_checks=left_out)
