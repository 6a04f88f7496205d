"""The rules between fields; what they accept and refuse is tried on a real API server in tests/cluster/test_admission.py."""

from pydantic.alias_generators import to_camel

from reconcilers.key_rules import KEY_RULES
from reconcilers.key_spec import KMSKeySpec


def test_every_rule_points_at_a_field_that_exists() -> None:
    fields = {f".{to_camel(name)}" for name in KMSKeySpec.model_fields}
    assert {rule["fieldPath"] for rule in KEY_RULES if "fieldPath" in rule} <= fields


def test_no_two_rules_say_the_same() -> None:
    assert len({rule["message"] for rule in KEY_RULES}) == len(KEY_RULES)
