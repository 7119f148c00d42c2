"""With which code `check` ends where it ends without a report."""

import pytest
from tests.cli.conftest import Typed

from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError, NotReady, TerminalError


def broken_off(typed: Typed, monkeypatch: pytest.MonkeyPatch, error: Exception) -> LakeproofError:
    """What `main` gets of a check that ends with this error."""

    def check(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("lakeproof.proof.checking.check", check)
    with pytest.raises(LakeproofError) as told:
        typed("check", "--no-wait")
    return told.value


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            TerminalError("not a list", where="a file", next_action="restore it"),
            "a file: not a list. Next: restore it",
        ),
        (NotReady("no answer", where="mysql"), "mysql: no answer"),
        (CouldNotLook("no answer", where="nessie"), "nessie: no answer"),
        (PermissionError(13, "Permission denied", "/a/file"), "/a/file: Permission denied"),
        (TimeoutError("timed out"), "this machine: timed out"),
        (
            OverflowError("date value out of range"),
            "the check broke off (OverflowError: date value out of range): nothing was judged",
        ),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_check_that_broke_off_is_unknown_and_never_failed(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    """Exit 1 means that orders are lost or wrong; a broken file of ours once gave it too."""
    told = broken_off(typed, monkeypatch, error)
    assert (told.exit_code, told.message) == (3, message)


def test_a_mistake_of_ours_is_logged_with_the_place_where_it_happened(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken_off(typed, monkeypatch, OverflowError("date value out of range"))
    (record,) = caplog.records
    assert record.exc_info is not None and record.exc_info[0] is OverflowError


def test_a_mistake_in_the_call_stays_one(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    assert broken_off(typed, monkeypatch, InvalidInput("no such hash")).exit_code == 2
