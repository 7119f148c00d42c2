"""A hook that fails, and the reason that is told of it."""

import pytest

from lakeproof.processes.hooks import HookFailed, Hooks
from lakeproof.stack.component import Hook
from lakeproof.stack.stack import Stack


async def test_a_hook_that_is_killed_is_not_said_to_have_failed_for_the_reason_of_an_earlier_run(
    stack: Stack,
) -> None:
    fails_then_dies = (
        'if [ -e failed ]; then kill -9 $$; fi; touch failed; echo "lakeproof: $2 of $1 failed: no topic"; exit 1'
    )
    hooks = Hooks("base", stack, "lakeproof-test", ("sh", "-c", fails_then_dies, "hook"))
    with pytest.raises(HookFailed, match="provision of base failed: no topic"):
        await hooks.run(Hook.PROVISION, 30)
    with pytest.raises(HookFailed, match="provision killed by SIGKILL"):
        await hooks.run(Hook.PROVISION, 30)
