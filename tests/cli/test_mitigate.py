from collections.abc import Mapping
from pathlib import Path

from lakeproof.cli.mitigate import _held
from lakeproof.diagnosis.cause import Step
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_a_proposed_step_holds_to_what_is_there_now_and_a_given_one_to_what_was_said(tmp_path: Path) -> None:
    def hold_to_nothing(stack: Stack, arguments: Named) -> Mapping[str, str]:
        return hold(arguments, ())

    def say(stack: Stack, arguments: Named) -> str:
        return ""

    known = {
        "drop": Mitigation("drop", "", say, say, Named, hold=hold_to_nothing),
        "start": Mitigation("start", "", say, say),
    }
    stack = Stack(Settings(state_dir=tmp_path))
    assert _held(stack, Step("drop"), known) == Step("drop", (("only", ""),))
    assert _held(stack, Step("drop", (("only", "oltp.a.b"),)), known) == Step("drop", (("only", "oltp.a.b"),))
    assert _held(stack, Step("start"), known) == Step("start")
