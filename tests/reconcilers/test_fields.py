"""What all models share: no value is repeated in a refusal, and a rule says what to write."""

import pytest
from pydantic import ValidationError

from reconcilers.fields import cel, together
from reconcilers.key_spec import KMSKeySpec


def test_the_secret_in_a_bad_value_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        KMSKeySpec.model_validate_json('{"keyPolicy": "\\u0000canary"}')
    assert "canary" not in str(caught.value)


def test_a_rule_names_its_field_where_it_has_one() -> None:
    assert cel("true", "write it so") == {"rule": "true", "message": "write it so"}
    assert cel("true", "write it so", ".keySpec") == {"rule": "true", "message": "write it so", "fieldPath": ".keySpec"}


def test_rules_that_stand_together_tell_the_message_of_the_first_that_is_broken() -> None:
    """What the server makes of it is tried in tests/cluster/test_admission.py."""
    merged = together("!has(self.a)", cel("self.a > 1", "the operator's \"1\"", ".a"), cel("self.a < 9", "too much", ".a"))
    assert merged == {
        "rule": "(!has(self.a)) || ((self.a > 1) && (self.a < 9))",
        "message": "the operator's \"1\" Or: too much",
        "messageExpression": '!(self.a > 1) ? "the operator\'s \\"1\\"" : "too much"',
        "fieldPath": ".a",
    }
