"""The proxies of slow roads are ended, whoever ends first."""

import subprocess
import sys

from lakeproof.faults.roads import end_roads


def test_a_proxy_that_has_ended_by_itself_does_not_keep_the_others_alive() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with subprocess.Popen(["sleep", "60"]) as living:
        try:
            end_roads([ended.pid, living.pid])
            assert living.wait(timeout=5) == -9
        finally:
            living.kill()
