import pytest
from pydantic import TypeAdapter, ValidationError

from reconcilers.key_fields import Alias, PolicyText


@pytest.mark.parametrize("alias", ["aws/s3", "alias/aws/s3"])
def test_an_alias_of_aws_is_refused_in_words(alias: str) -> None:
    with pytest.raises(ValidationError, match="belong to AWS: choose another name"):
        TypeAdapter[str](Alias).validate_python(alias)


@pytest.mark.parametrize("text", ["", " ", "{}" * 65537, "{\u2028}"])
def test_what_cannot_be_a_policy_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[str](PolicyText).validate_python(text)
