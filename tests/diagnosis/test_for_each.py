"""Causes written once for each subject of a noun: what is filled in, what is left out, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.doubles.plugins import OURS

from lakeproof.diagnosis import for_each
from lakeproof.diagnosis.cause_file import CauseModel
from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.for_each import expanded
from lakeproof.diagnosis.nouns import NOUNS
from lakeproof.errors import InvalidInput
from lakeproof.lake.sources.source import SHOP
from lakeproof.probes.probe import all_probes
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.components import all_components


def model(**changes: object) -> CauseModel:
    return CauseModel.model_validate(
        {
            "id": "strange_cause",
            "says": {"vi": "lạ lắm", "en": "strange"},
            "necessary": [{"probe": "connect-answers", "op": "==", "value": "answers"}],
            "repairs": [],
            **changes,
        }
    )


def made(**changes: object) -> dict[str, CauseModel]:
    return {one.id: one for _, one in expanded(model(**changes), "causes.yaml")}


def test_every_text_of_a_cause_is_filled_in_for_each_source() -> None:
    found = made(
        id="{prefix}odd",
        for_each="sources",
        says={"vi": "{connector} của {server}", "en": "{connector} of {server}, {job}"},
        necessary=[{"probe": "{source}-job-state", "op": "==", "value": "{engine}"}],
        masks=["{prefix}failed_task"],
        masked_by_components=["{exporter}", "kafka"],
        explains=["{source}-publish-age"],
        repairs=[{"id": "resume_connector", "args": {"connector": "{connector}"}}],
    )
    assert list(found) == ["odd", "shop_odd"]
    assert (found["odd"].says.en, found["shop_odd"].says.en) == (
        "orders of MariaDB, lake-oltp",
        "shop of PostgreSQL, lake-shop",
    )
    shop = found["shop_odd"]
    assert [str(one) for one in shop.necessary[0].evidence().alternatives] == ["shop-job-state == postgres"]
    assert (shop.masks, shop.masked_by_components) == (["shop_failed_task"], ["shop-capture", "kafka"])
    assert (shop.explains, shop.repairs[0].args) == (["shop-publish-age"], {"connector": "shop"})


def test_an_entry_whose_word_a_subject_does_not_have_is_left_out() -> None:
    found = made(id="{prefix}odd", for_each="sources", masked_by=["{capture}_down", "kafka_down"])
    assert found["odd"].masked_by == ["kafka_down"]
    # In an id the component's - is written _.
    assert found["shop_odd"].masked_by == ["shop_capture_down", "kafka_down"]


def test_a_cause_may_be_of_some_subjects_only() -> None:
    assert list(made(id="{prefix}odd", for_each="sources", where={"engine": "postgres"})) == ["shop_odd"]


def test_in_a_cause_of_no_single_source_an_entry_stands_once_for_each() -> None:
    found = made(masks=["{prefix}job_missing", "connect_down"], explains=["{source}-publish-age", "broker-answers"])
    assert found["strange_cause"].masks == ["job_missing", "shop_job_missing", "connect_down"]
    assert found["strange_cause"].explains == ["oltp-publish-age", "shop-publish-age", "broker-answers"]


def test_databases_and_nodes_are_nouns_too() -> None:
    assert list(made(id="{database}_full", for_each="databases", explains=["{exporter}-answers"])) == [
        "mysql_full",
        "postgres_full",
    ]
    nodes = made(
        id="{node}_empty",
        for_each="nodes",
        explains=["{node}-ready", "{source}-publish-age"],
        repairs=[{"id": "replace_node", "args": {"node": "{node}"}}],
    )
    assert list(nodes) == ["cassandra_seed_empty", "cassandra_node2_empty", "cassandra_node3_empty"]
    assert nodes["cassandra_node2_empty"].repairs[0].args == {"node": "cassandra-node2"}
    assert nodes["cassandra_node2_empty"].explains == [
        "cassandra-node2-ready",
        "oltp-publish-age",
        "shop-publish-age",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"for_each": "kettles"}, "no noun 'kettles'"),
        ({"id": "{source}_odd", "for_each": "sources", "explains": ["{kettle}-ready"]}, "no placeholder {kettle}"),
        ({"id": "{source}_odd", "for_each": "sources", "where": {"kettle": "1"}}, "no placeholder {kettle}"),
        ({"says": {"vi": "của {server}", "en": "of {server}"}}, "no placeholder {server}"),
        # One text for all, but no id of its own for each.
        ({"for_each": "sources", "necessary": [{"probe": "{source}-tables", "op": "absent"}]}, "is also in"),
        ({"id": "{capture}_odd", "for_each": "sources"}, "does not have a word"),
        # Without it the cause would hold where it must not.
        (
            {
                "id": "{prefix}odd",
                "for_each": "sources",
                "necessary": [
                    {"probe": "{capture}-answers", "op": "==", "value": "answers"},
                    {"probe": "{source}-tables", "op": "absent"},
                ],
            },
            "does not have a word",
        ),
        ({"id": "odd_{", "explains": []}, "is no id"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    told = model(**changes).model_dump(exclude_unset=True, mode="json")
    (tmp_path / "causes.yaml").write_text(yaml.safe_dump({"causes": [told]}))
    with pytest.raises(InvalidInput) as refused:
        load_causes(all_probes(OURS), {"strange": tmp_path})
    assert words in refused.value.message
    assert "causes.yaml" in refused.value.message


@pytest.mark.parametrize("noun", NOUNS)
def test_all_subjects_of_a_noun_have_the_same_placeholders(noun: str) -> None:
    assert len({frozenset(subject) for subject in NOUNS[noun]}) == 1


def test_a_word_that_names_a_component_names_one_that_there_is() -> None:
    components = all_components()
    for subject in (each for subjects in NOUNS.values() for each in subjects):
        for key in {"node", "engine", "exporter", "capture"} & subject.keys():
            assert subject[key] is None or subject[key] in components
    assert all(subject["database"] in components for subject in NOUNS["databases"])


def test_a_third_source_has_every_cause_of_its_kind_with_no_other_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    third = replace(SHOP, name="crm", connector="crm")
    monkeypatch.setattr(for_each, "NOUNS", {**NOUNS, "sources": (*NOUNS["sources"], third.words)})
    probes = all_probes(OURS)
    own = {f"crm-{name.removeprefix('shop-')}": probe for name, probe in probes.items() if name.startswith("shop-")}
    causes = {cause.id: cause for cause in load_causes(probes | own, scenario_folders())}
    shops = {name for name, cause in causes.items() if cause.subject.get("source") == "shop"}
    assert {name for name, cause in causes.items() if cause.subject.get("source") == "crm"} == {
        name.replace("shop_", "crm_") for name in shops
    }
    assert "crm_job_missing" in causes and "store_not_writable" in causes["crm_job_missing"].masked_by
    assert "crm-publish-age" in causes["hanging_transaction"].explains


def test_a_step_that_only_some_subjects_have_is_left_out_of_the_others_causes() -> None:
    steps = [{"id": "restore_column", "where": {"engine": "mysql"}}, {"id": "resume_connector"}]
    found = made(id="{prefix}odd", for_each="sources", repairs=steps)
    steps_of = {name: [step.id for step in cause.repairs] for name, cause in found.items()}
    assert steps_of == {"odd": ["restore_column", "resume_connector"], "shop_odd": ["resume_connector"]}


def test_a_cause_of_one_source_explains_what_its_own_services_refuse_and_no_others() -> None:
    causes = {cause.id: cause for cause in load_causes(all_probes(OURS), scenario_folders())}
    refused = {
        name: {probe for probe in causes[name].explains if probe.endswith("-service-refusals")}
        for name in ("renamed_column", "shop_renamed_column")
    }
    assert refused["renamed_column"] == {"order-service-refusals"}
    assert refused["shop_renamed_column"] == {
        f"{service}-service-refusals" for service in ("payment", "fulfillment", "support", "notification")
    }


def test_every_service_whose_refusals_are_read_is_of_a_source_but_for_the_one_in_cassandra() -> None:
    read = {probe.removesuffix("-refusals") for probe in all_probes(OURS) if probe.endswith("-service-refusals")}
    assert {subject["service"] for subject in NOUNS["services"]} == read - {"inventory-service"}


def test_a_where_that_fits_no_subject_is_refused() -> None:
    """Else the repair were gone without a word: MariaDB's engine is called mysql."""
    wrong_step = {"repairs": [{"id": "restore_column", "where": {"engine": "mariadb"}}]}
    others_step = {
        "where": {"engine": "postgres"},
        "repairs": [{"id": "restore_column", "where": {"engine": "mysql"}}],
    }
    for wrong in (wrong_step, others_step, {"where": {"engine": "x"}}):
        with pytest.raises(InvalidInput, match="fits none of sources"):
            made(id="{prefix}odd", for_each="sources", **wrong)


def test_a_cause_of_a_database_speaks_of_the_sources_and_services_in_it() -> None:
    """By its engine: {database} is a component among databases, and the source's name among sources."""
    found = made(
        id="{database}_odd", for_each="databases", masks=["{service}_unhealthy"], explains=["{source}-publish-age"]
    )
    assert {name: tuple(cause.explains) for name, cause in found.items()} == {
        "mysql_odd": ("oltp-publish-age",),
        "postgres_odd": ("shop-publish-age",),
    }
    assert found["mysql_odd"].masks == ["order_service_unhealthy"]
    assert {"payment_service_unhealthy", "support_service_unhealthy"} < set(found["postgres_odd"].masks)


def test_who_waits_for_a_lock_is_not_told_to_be_unwell_itself() -> None:
    causes = {cause.id: cause for cause in load_causes(all_probes(OURS), scenario_folders())}
    assert "mysql_session_blocks" in causes["order_service_unhealthy"].masked_by
    assert "postgres_session_blocks" not in causes["order_service_unhealthy"].masked_by
    assert "order-service-ready" in causes["mysql_session_blocks"].explains
