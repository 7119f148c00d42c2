"""Cause files: what is refused, and by which words."""

from pathlib import Path

import pytest
import yaml
from tests.doubles.plugins import OURS

from lakeproof.diagnosis.causes import load_causes
from lakeproof.errors import InvalidInput
from lakeproof.probes.probe import all_probes
from lakeproof.scenarios.folder import scenario_folders

PROBES = all_probes(OURS)


PAUSED = {"probe": "oltp-connector-state", "op": "==", "value": "PAUSED"}


def cause(**changes: object) -> dict[str, object]:
    return {
        "id": "strange_cause",
        "says": {"vi": "lạ lắm", "en": "strange"},
        "necessary": [{"probe": "oltp-publish-age", "op": ">", "value": 60}],
        "repairs": [{"id": "resume_connector"}],
        **changes,
    }


def folder(tmp_path: Path, *causes: dict[str, object]) -> dict[str, Path]:
    home = tmp_path / "strange"
    home.mkdir()
    (home / "causes.yaml").write_text(yaml.safe_dump({"causes": list(causes)}))
    return scenario_folders() | {"strange": home}


def test_a_cause_of_another_folder_joins_the_rest(tmp_path: Path) -> None:
    found = load_causes(PROBES, folder(tmp_path, cause()))
    assert "strange_cause" in {each.id for each in found}
    assert len(found) > 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"necessary": [{"probe": "nothing-such", "op": "absent"}]}, "no probe 'nothing-such'"),
        ({"necessary": [{"probe": "oltp-publish-age", "op": "~"}]}, "op"),
        ({"necessary": [{"probe": "oltp-publish-age", "op": ">"}]}, "needs a value"),
        ({"necessary": [{"probe": "oltp-publish-age", "op": ">", "value": "x"}]}, "needs a number"),
        ({"necessary": [{"probe": "oltp-publish-age", "op": "grows", "value": 1}]}, "takes no value"),
        ({"necessary": []}, "necessary"),
        (
            {"necessary": [{"probe": "oltp-connector-state", "op": "==", "value": "PAUSED"}]},
            "same necessary evidence",
        ),
        (
            {"necessary": [{"probe": "oltp-connector-state", "op": "!=", "value": "RUNNING"}]},
            "strange_cause holds wherever paused_connector does",
        ),
        (
            {
                "necessary": [
                    {"probe": "trino-queued", "op": ">", "value": 9},
                    {"probe": "trino-longest-wait", "op": ">", "value": 60},
                    {"probe": "trino-answers", "op": "==", "value": "answers"},
                ],
                # What hides a cause that holds with it each time would hide it for ever.
                "masked_by": ["resource_group_full"],
            },
            "resource_group_full holds wherever strange_cause does",
        ),
        ({"necessary": [{"any": [{"probe": "oltp-publish-age", "op": ">", "value": 60}]}]}, "any"),
        ({"necessary": [{"any": [PAUSED, {"probe": "nothing-such", "op": "absent"}]}]}, "no probe 'nothing-such'"),
        (
            {"necessary": [{"any": [PAUSED, {"probe": "oltp-publish-age", "op": ">", "value": 60}]}]},
            "strange_cause holds wherever paused_connector does",
        ),
        # Whichever alternative is seen, the other cause holds as well.
        (
            {
                "necessary": [
                    {"any": [{"probe": "trino-queued", "op": ">", "value": many} for many in (5, 9)]},
                    {"probe": "trino-longest-wait", "op": ">", "value": 60},
                    {"probe": "trino-answers", "op": "==", "value": "answers"},
                ]
            },
            "resource_group_full holds wherever strange_cause does",
        ),
        ({"masked_by": ["nobody"]}, "no cause 'nobody'"),
        ({"id": "paused_connector"}, "is also in"),
        ({"id": "Paused-Connector"}, "id"),
        ({"says": {"en": "only one language"}}, "says.vi"),
        ({"because": 1}, "because"),
    ],
)
def test_a_wrong_cause_is_refused_with_what_is_wrong(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_causes(PROBES, folder(tmp_path, cause(**changes)))
    assert words in refused.value.message
    assert "causes.yaml" in refused.value.message


def test_masks_is_the_other_side_of_masked_by(tmp_path: Path) -> None:
    found = {each.id: each for each in load_causes(PROBES, folder(tmp_path, cause(masks=["connect_down"])))}
    assert "strange_cause" in found["connect_down"].masked_by


def test_a_cause_that_holds_wherever_another_does_is_fine_where_the_other_hides_it_or_rules_it_out(
    tmp_path: Path,
) -> None:
    narrower: dict[str, object] = {
        "id": "one_of_many",
        "necessary": [
            {"probe": "oltp-publish-age", "op": ">", "value": 90},
            {"probe": "oltp-source-lag", "op": ">", "value": 90_000},
        ],
    }
    fine: list[dict[str, object]] = [
        {"masked_by": ["one_of_many"]},
        {"contradicting": [{"probe": "oltp-source-lag", "op": ">", "value": 10_000}]},
    ]
    for number, changes in enumerate(fine):
        home = tmp_path / str(number)
        home.mkdir()
        load_causes(PROBES, folder(home, cause(**changes), cause(**narrower)))
    home = tmp_path / "neither"
    home.mkdir()
    with pytest.raises(InvalidInput, match="holds wherever one_of_many does"):
        load_causes(PROBES, folder(home, cause(), cause(**narrower)))
