"""The health question: which dependency's trouble makes a service unhealthy, and which is only told."""

import pytest

from lakeproof.services.health import Health, HealthQuestion


async def fine() -> str:
    return ""


async def down() -> str:
    return "cannot connect"


@pytest.mark.parametrize(
    ("without", "word"), [(frozenset({"redis"}), Health.HEALTHY), (frozenset(), Health.STARTING)]
)
async def test_a_dependency_that_a_service_works_without_is_told_and_leaves_it_healthy(
    without: frozenset[str], word: Health
) -> None:
    said, found = await HealthQuestion({"postgres": fine, "redis": down}, works_without=without).ask()
    assert (said, found["redis"].problem, found["postgres"].problem) == (word, "cannot connect", "")


async def test_a_service_that_was_healthy_once_is_unhealthy_afterwards_not_starting() -> None:
    problem = ""

    async def question() -> str:
        return problem

    asked = HealthQuestion({"postgres": question})
    assert (await asked.ask())[0] is Health.HEALTHY
    problem = "connection lost"
    assert (await asked.ask())[0] is Health.UNHEALTHY
