"""A service that was told to kill itself says so when it starts: a setting for tests must not be missed elsewhere."""

import logging

import pytest

from lakeproof.stack.settings import CheckoutSettings, ShopSettings
from lakeproof_shop.services.order.app import Checkouts, create_app
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.mysql import Connection


async def away() -> Connection:
    raise DatabaseDown("cannot connect")


@pytest.mark.parametrize(
    ("request_crash", "step_crash", "named"),
    [
        ("", "", []),
        ("after POST /orders", "", ["shop.crash_at"]),
        ("", "capture:before", ["checkout.crash_at"]),
        ("after POST /orders", "capture:before", ["shop.crash_at", "checkout.crash_at"]),
    ],
)
async def test_a_service_that_will_kill_itself_warns_at_its_start(
    caplog: pytest.LogCaptureFixture, request_crash: str, step_crash: str, named: list[str]
) -> None:
    own = CheckoutSettings(crash_at=step_crash)
    app = create_app(ShopSettings(crash_at=request_crash), away, Checkouts({}, own))
    async with app.router.lifespan_context(app):
        warnings = [one.getMessage() for one in caplog.records if "crash_at" in one.getMessage()]
    assert [text.split()[0] for text in warnings] == named
    assert all(one.levelno == logging.WARNING for one in caplog.records if "crash_at" in one.getMessage())
    assert all(where in "".join(warnings) for where in (request_crash, step_crash))
