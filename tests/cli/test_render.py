"""What `lakeproof render` prints is what another server can load."""

from tests.cli.conftest import Typed

from lakeproof.observability.rules import find_rules
from lakeproof.yaml_file import load_yaml


def test_the_rules_are_one_document_that_has_every_alert(typed: Typed) -> None:
    groups = load_yaml(typed("render", "prometheus", "--rules"))["groups"]
    printed = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    assert sorted(printed) == sorted(rule.alert for file in find_rules() for rule in file.alerts)
