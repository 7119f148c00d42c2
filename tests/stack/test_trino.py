"""Trino's resource groups: nobody outside the platform comes into the platform's own."""

import json
import re
from typing import Any, cast

from lakeproof.lake.query.trino_queries import ASKING
from lakeproof.stack.engines.trino import USER_QUEUED, USER_RUNNING, resource_groups


def group_of(user: str) -> str:
    """By the first selector that takes the user, as Trino does."""
    for selector in cast(list[dict[str, str]], resource_groups()["selectors"]):
        if re.fullmatch(selector.get("user", ".*"), user):
            return selector["group"].replace("${USER}", user)
    raise AssertionError(f"no group for {user}")


def test_the_platforms_users_share_a_group_and_every_other_user_has_its_own() -> None:
    for user in ("lakeproof", "lakeproof-health", ASKING["X-Trino-User"]):
        assert group_of(user) == "platform"
    assert group_of("analyst") == "people.analyst"
    assert group_of("not-lakeproof") == "people.not-lakeproof"


def test_a_user_runs_few_queries_at_once_and_all_users_together_do_not_fill_the_platforms_group() -> None:
    roots: dict[str, Any] = {one["name"]: one for one in cast(list[dict[str, Any]], resource_groups()["rootGroups"])}
    (own,) = roots["people"]["subGroups"]
    assert (own["hardConcurrencyLimit"], own["maxQueued"]) == (USER_RUNNING, USER_QUEUED)
    assert roots["people"]["hardConcurrencyLimit"] > USER_RUNNING
    assert json.loads(json.dumps(resource_groups())) == resource_groups()
