"""What all models of the API share: the base of the models, their field types, and the words in which a value is refused.

Rules:
1. A limit that one field can break is written at the field; a rule between fields is a CEL rule of the model (`cel`). The API server
   judges by both, and the operator by the fields again when it reads an object. What a refusal says is what to write instead: so a
   pattern reaches the server as a CEL rule with a message, not as a pattern, which would be all that the server could tell.
2. No field of a spec has a default in the CRD: the server would write it into the user's object. Unset stays unset; the docstring of the
   field and the property beside it say what unset means.
3. Unknown values of keySpec and keyUsage pass, so that tomorrow's specs work; only the known families are judged.
4. Unknown fields are ignored on reading: a newer version's object must not stop an older operator.

Names and limits: AWS::KMS::Key of CloudFormation and the KMS API reference.
"""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from reconcilers.names import TAG_PREFIX

DNS_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
ROLE_ARN = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,512}$"
# What KMS takes in tags, without spaces at either end, which no diff would show.
TAG_TEXT = r"^([\p{L}\p{N}_.:/=+\-@]([\p{L}\p{Z}\p{N}_.:/=+\-@]*[\p{L}\p{N}_.:/=+\-@])?)?$"
NO_CONTROLS = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F]*$"

Rule = dict[str, JsonValue]  # one entry of x-kubernetes-validations

ALTERNATIVES = " Or: "  # between the messages of rules that stand together

MAX_TAGS = 50  # KMS resource quota: tags of one key
OWN_TAGS = 3  # of these are ours: cluster-id, owner, uid


def cel(rule: str, message: str, field: str | None = None) -> Rule:
    """A rule in CEL, and what to write instead of what breaks it. field: path of the culprit relative to the model, such as `.keySpec`."""
    entry: Rule = {"rule": rule, "message": message}
    return entry | {"fieldPath": field} if field else entry


def together(unless: str, *rules: Rule) -> Rule:
    """Rules about one field as one: who breaks several is told the first.

    The server evaluates every rule at every write, those of a status too, and looks a field up anew each time that a rule names it: the
    rules of a KMSKey one by one took a third of the server's time for a write. `unless` is cheap, and true only where none of them is broken.
    """
    all_hold = " && ".join(f"({rule['rule']})" for rule in rules)
    first_broken = "".join(f"!({rule['rule']}) ? {json.dumps(rule['message'])} : " for rule in rules[:-1])
    merged: Rule = {
        "rule": f"({unless}) || ({all_hold})",
        "message": ALTERNATIVES.join(str(rule["message"]) for rule in rules),
        "messageExpression": f"{first_broken}{json.dumps(rules[-1]['message'])}",
    }
    field = rules[0].get("fieldPath")
    return merged | {"fieldPath": field} if field else merged


def text(pattern: str, message: str, **more: Any) -> Any:
    """A string field with a pattern, which must not hold a quote, and the words in which a value that breaks it is refused."""
    rule = cel(f"self.matches(r'{pattern}')", message)
    return Field(pattern=pattern, json_schema_extra={"x-kubernetes-validations": [rule]}, **more)


class Model(BaseModel):
    """What all models share: camelCase on the wire, frozen, strict types, and no input echoed in errors (it may be a secret)."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )
    cel: ClassVar[tuple[Rule, ...]] = ()


Timestamp = Annotated[datetime, Field(strict=False, json_schema_extra={"format": "date-time"})]
TagValue = Annotated[str, text(TAG_TEXT, "a tag value takes letters, digits, spaces inside, and _.:/=+-@ only", max_length=256)]
NAME_MESSAGE = "write a Kubernetes name: lower-case letters, digits, - and ."
ObjectName = Annotated[str, text(DNS_NAME, NAME_MESSAGE, min_length=1, max_length=253)]
NamespaceName = Annotated[str, text(DNS_NAME, NAME_MESSAGE, min_length=1, max_length=63)]
RoleArn = Annotated[str, text(ROLE_ARN, "write the ARN of a role, such as arn:aws:iam::123456789012:role/keys", max_length=2048)]


def tags_field(description: str, most: int) -> Any:
    """A map of tags whose keys the server checks too; schemas cannot bound a map's keys, CEL can."""
    shape = TAG_TEXT.replace("\\", "\\\\")
    rule = together(
        "size(self) == 0",
        cel("self.all(k, size(k) >= 1 && size(k) <= 128)", "a tag key has 1 to 128 characters"),
        cel(
            "self.all(k, !k.lowerAscii().startsWith('aws:'))",
            "tag keys that start with aws: belong to AWS: choose another prefix",
        ),
        cel(
            f"self.all(k, !k.startsWith('{TAG_PREFIX}'))",
            f"tag keys that start with {TAG_PREFIX} are the operator's owner tags: choose another prefix",
        ),
        cel(
            f"self.all(k, k.matches('{shape}'))",
            "a tag key takes letters, digits, spaces inside, and _.:/=+-@ only",
        ),
    )
    return Field(None, description=description, max_length=most, json_schema_extra={"x-kubernetes-validations": [rule]})


class DeletionPolicy(StrEnum):
    """What happens to the key in AWS when its object is deleted."""

    SCHEDULE_KEY_DELETION = "ScheduleKeyDeletion"
    DELETE = "Delete"
    RETAIN = "Retain"
    DISABLE_KEY = "DisableKey"
    FORCE_DELETE = "ForceDelete"


class DriftPolicy(StrEnum):
    """What happens when somebody changes the key in AWS."""

    CORRECT = "Correct"
    REPORT = "Report"


class ExportKind(StrEnum):
    """Into what a key is exported."""

    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"  # noqa: S105 - a kind


class Origin(StrEnum):
    """Where the material of a key comes from; KMS's own words."""

    AWS_KMS = "AWS_KMS"
    EXTERNAL = "EXTERNAL"
    AWS_CLOUDHSM = "AWS_CLOUDHSM"
    EXTERNAL_KEY_STORE = "EXTERNAL_KEY_STORE"


class Condition(Model):
    """One aspect of the object's state, as Kubernetes' API conventions define it."""

    type: Annotated[str, Field(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    observed_generation: Annotated[int | None, Field(ge=0)] = None
    last_transition_time: Timestamp
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    message: Annotated[str, Field(max_length=32768)]


# The status that the server gives to a new object. Without one, kstatus (Flux, Argo CD, kpt) takes an object without conditions for a
# finished one; -1 is no generation, so it is in progress until the operator has looked at it.
UNSEEN: dict[str, JsonValue] = {"observedGeneration": -1}
ObservedGeneration = Annotated[
    int | None, Field(ge=-1, description="The generation of the spec that this status is about; -1: of none yet.")
]

Conditions = Annotated[
    tuple[Condition, ...],
    Field(strict=False, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]

_GO_DURATION = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$"
Interval = Annotated[
    str,
    Field(
        pattern=_GO_DURATION,
        max_length=32,
        json_schema_extra={
            "x-kubernetes-validations": [
                cel(
                    f"self.matches(r'{_GO_DURATION}') && duration(self) >= duration('30s')",
                    "write a duration of at least 30s, such as 5m or 1h30m",
                )
            ]
        },
    ),
]
