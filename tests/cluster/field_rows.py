"""One row for each field of a KMSKey's spec: set, changed behind the operator's back, changed, refused, unset. What counts is what AWS has.

A row's `expected` is what `seen` shows of the key after the object was made with `spec`, after `change` was merged into it, and after all of
its fields were unset. `drift` is somebody else's hand; what it does is undone, or stays as `left`. `bad` is refused, with these words, and
changes nothing.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.cluster.deviations import (
    Probe,
    a_key_can_wait_for_its_material,
    a_key_is_rotated_on_demand,
    replicas_have_tags_of_their_own,
    the_rotation_period_is_told,
)
from tests.cluster.emulator import ACCOUNT_ID
from tests.cluster.tenant import Object, Tenant

SEEN = Callable[[Tenant, str], Any]  # of a key's id
ROOT = {
    "Sid": "Root",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
    "Action": "kms:*",
    "Resource": "*",
}


@dataclass(frozen=True)
class Row:
    """A field's life.

    before: what there is in AWS before the object. fixed: fields that cannot be unset. reports: the drift is told, and so Synced is False.
    unready: the reason for which the key is not Ready though it is as declared.
    needs: what a backend must do as AWS does. end: what AWS has when the object is gone.
    """

    name: str
    spec: Object
    change: Object
    seen: SEEN
    expected: tuple[Any, Any, Any]
    drift: Callable[[Tenant, str], object] | None = None
    left: Any = None
    bad: tuple[Object, str] | None = None
    before: Callable[[Tenant], object] | None = None
    fixed: tuple[str, ...] = ()
    reports: bool = False
    unready: str = ""
    needs: Probe | None = None
    end: Any = "PendingDeletion"
    seen_at_end: SEEN = field(default=lambda user, key_id: user.described(key_id)["KeyState"])

    @property
    def unset(self) -> Object:
        """The patch that takes all of the row's fields out of the spec, but those that are fixed once the key exists."""
        return {name: None for name in ({**self.spec, **self.change} if self.change else {}) if name not in self.fixed}

    @property
    def drifted(self) -> Any:
        """What AWS has after the drift."""
        return self.expected[0] if self.left is None else self.left


def policy(role: str) -> str:
    """The account's administrators, and one role that decrypts; `root`: the administrators alone."""
    reader = {"Sid": "Reader", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:role/{role}"}}
    statements = [ROOT, reader | {"Action": "kms:Decrypt", "Resource": "*"}] if role != "root" else [ROOT]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def grant(name: str, *operations: str) -> Object:
    """A grant for the role of the same name."""
    return {"name": name, "granteeRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/{name}", "operations": list(operations)}


# What AWS has


def described(name: str) -> SEEN:
    """One field of DescribeKey."""
    return lambda user, key_id: user.described(key_id).get(name)


def kind_of_key(user: Tenant, key_id: str) -> Any:
    """Spec and usage."""
    seen = user.described(key_id)
    return seen["KeySpec"], seen["KeyUsage"]


def rotation(user: Tenant, key_id: str) -> Any:
    """The rotation's period in days; None: it is off."""
    seen = user.kms.get_key_rotation_status(KeyId=key_id)
    return seen.get("RotationPeriodInDays") if seen["KeyRotationEnabled"] else None


def rotations(user: Tenant, key_id: str) -> Any:
    """How often somebody asked for a rotation, one that has only begun included."""
    has_begun = "OnDemandRotationStartDate" in user.kms.get_key_rotation_status(KeyId=key_id)
    return len(user.kms.list_key_rotations(KeyId=key_id)["Rotations"]) + has_begun


def readers(user: Tenant, key_id: str) -> Any:
    """The roles that the policy lets decrypt."""
    statements = user.policy(key_id)["Statement"]
    return [one["Principal"]["AWS"].rpartition("/")[2] for one in statements if one["Sid"] == "Reader"]


def aliases(user: Tenant, key_id: str) -> Any:
    """The names that lead to the key."""
    return sorted(alias["AliasName"] for alias in user.kms.list_aliases(KeyId=key_id)["Aliases"])


def grants(user: Tenant, key_id: str) -> Any:
    """Name and operations of each grant."""
    listed = user.kms.list_grants(KeyId=key_id)["Grants"]
    return {grant["Name"]: sorted(grant["Operations"]) for grant in listed}


def exported(user: Tenant, key_id: str) -> Any:
    """Which objects of the cluster tell the key's id."""
    return [kind for kind in ("configmaps", "secrets") for obj in user.all(kind) if key_id in map(_plain, obj.get("data", {}).values())]


def _plain(value: str) -> str:
    """An entry of a Secret is encoded, one of a ConfigMap is not."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return value


def replica(user: Tenant, key_id: str) -> Any:
    """Description and state of the key in eu-west-1."""
    seen = user.kms_in("eu-west-1").describe_key(KeyId=key_id)["KeyMetadata"]
    return seen["Description"], seen["KeyState"]


def told_policy(user: Tenant, key_id: str) -> Any:
    """The deletion policy that the object's status tells; AWS sees nothing of it until the end."""
    return user.of_key(key_id)["status"]["effectiveDeletionPolicy"]


def window(user: Tenant, key_id: str) -> Any:
    """In how many days the key is deleted."""
    return round((user.described(key_id)["DeletionDate"] - datetime.now(UTC)).total_seconds() / 86400)


# What somebody else does


def drop_alias(name: str) -> Callable[[Tenant, str], object]:
    """Deletes an alias."""
    return lambda user, _key_id: user.kms.delete_alias(AliasName=name)


def retag(user: Tenant, key_id: str) -> None:
    """Changes one tag and removes another."""
    user.kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "a", "TagValue": "theirs"}])
    user.kms.untag_resource(KeyId=key_id, TagKeys=["b"])


def revoke(user: Tenant, key_id: str) -> None:
    """Revokes all grants."""
    for one in user.kms.list_grants(KeyId=key_id)["Grants"]:
        user.kms.revoke_grant(KeyId=key_id, GrantId=one["GrantId"])


def by_hand(user: Tenant, key_id: str) -> None:
    """Writes a description."""
    user.kms.update_key_description(KeyId=key_id, Description="theirs")


def key_of(alias: str) -> Callable[[Tenant], object]:
    """Makes a key with an alias that leads to it."""

    def make(user: Tenant) -> None:
        key_id = user.kms.create_key(Description="theirs")["KeyMetadata"]["KeyId"]
        user.kms.create_alias(AliasName=f"alias/{alias}", TargetKeyId=key_id)

    return make


SIGNING = ("RSA_2048", "SIGN_VERIFY")
FIXED = "cannot change once"

ROWS = (
    Row(
        "description",
        {"description": "one"},
        {"description": "two"},
        described("Description"),
        ("one", "two", ""),
        drift=by_hand,
        bad=({"description": "a\x07"}, "a description takes no control characters"),
    ),
    Row(
        "keySpec",
        {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"},
        {},
        kind_of_key,
        (SIGNING,) * 3,
        bad=({"keySpec": "RSA_3072"}, FIXED),
    ),
    Row(
        "keyUsage",
        {"keySpec": "RSA_2048"},
        {},
        kind_of_key,
        (("RSA_2048", "ENCRYPT_DECRYPT"),) * 3,
        bad=({"keyUsage": "SIGN_VERIFY"}, FIXED),
    ),
    Row(
        "customerMasterKeySpec",
        {"customerMasterKeySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"},
        {},
        kind_of_key,
        (SIGNING,) * 3,
        bad=({"customerMasterKeySpec": None, "keyUsage": None}, FIXED),
    ),
    Row("multiRegion", {"multiRegion": True}, {}, described("MultiRegion"), (True,) * 3, bad=({"multiRegion": None}, FIXED)),
    Row(
        "enabled",
        {"enabled": False},
        {"enabled": True},
        described("KeyState"),
        ("Disabled", "Enabled", "Enabled"),
        drift=lambda user, key_id: user.kms.enable_key(KeyId=key_id),
        bad=({"enabled": "yes"}, "spec.enabled in body must be of type boolean"),
    ),
    Row(
        "enabled-unset",
        {},
        {"enabled": False},
        described("KeyState"),
        ("Enabled", "Disabled", "Enabled"),
        drift=lambda user, key_id: user.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7),
    ),
    Row(
        "enableKeyRotation",
        {"enableKeyRotation": True},
        {"enableKeyRotation": False},
        lambda user, key_id: user.rotates(key_id),
        (True, False, False),
        drift=lambda user, key_id: user.kms.disable_key_rotation(KeyId=key_id),
        bad=({"enableKeyRotation": "on"}, "spec.enableKeyRotation in body must be of type boolean"),
    ),
    Row(
        "rotationPeriodInDays",
        {"enableKeyRotation": True, "rotationPeriodInDays": 180},
        {"rotationPeriodInDays": 365},
        rotation,
        (180, 365, None),
        drift=lambda user, key_id: user.kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90),
        bad=({"rotationPeriodInDays": 89}, "spec.rotationPeriodInDays in body should be greater than or equal to 90"),
        needs=the_rotation_period_is_told,
    ),
    Row(
        "keyPolicy",
        {"keyPolicy": policy("one")},
        {"keyPolicy": policy("two")},
        readers,
        (["one"], ["two"], ["two"]),
        drift=lambda user, key_id: user.kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=policy("theirs")),
        bad=({"keyPolicy": ""}, "spec.keyPolicy in body should be at least 2 chars long"),
    ),
    Row(
        "bypassPolicyLockoutSafetyCheck",
        {
            "bypassPolicyLockoutSafetyCheck": True,
            "keyPolicy": policy("one").replace('"Action": "kms:*"', '"NotAction": "kms:PutKeyPolicy"'),
        },
        {},  # nobody can change the policy again, which is what is asked for
        readers,
        (["one"],) * 3,
        bad=({"bypassPolicyLockoutSafetyCheck": "yes"}, "must be of type boolean"),
    ),
    Row(
        "tags",
        {"tags": {"a": "1", "b": "2"}},
        {"tags": {"a": "3", "b": None, "c": "4"}},
        lambda user, key_id: user.tags(key_id),
        ({"a": "1", "b": "2", "team": "platform"}, {"a": "3", "c": "4", "team": "platform"}, {"team": "platform"}),
        drift=retag,
        bad=({"tags": {"aws:x": "y"}}, "belong to AWS: choose another prefix"),
    ),
    Row(
        "aliases",
        {"aliases": ["fields/one", "alias/fields/two"]},
        {"aliases": ["fields/two", "fields/three"]},
        aliases,
        (["alias/fields/one", "alias/fields/two"], ["alias/fields/three", "alias/fields/two"], []),
        drift=drop_alias("alias/fields/one"),
        bad=({"aliases": ["aws/s3"]}, "belong to AWS: choose another name"),
    ),
    Row(
        "grants",
        {"grants": [grant("one", "Decrypt"), grant("two", "Encrypt")]},
        {"grants": [grant("two", "Encrypt", "DescribeKey"), grant("three", "Decrypt")]},
        grants,
        ({"one": ["Decrypt"], "two": ["Encrypt"]}, {"two": ["DescribeKey", "Encrypt"], "three": ["Decrypt"]}, {}),
        drift=revoke,
        bad=({"grants": [grant("one", "Sign")]}, "a grant on a key that encrypts allows Encrypt"),
    ),
    Row(
        "deletionPolicy",
        {"deletionPolicy": "DisableKey"},
        {"deletionPolicy": "Retain"},
        told_policy,
        ("DisableKey", "Retain", "ScheduleKeyDeletion"),
        bad=({"deletionPolicy": "Orphan"}, 'supported values: "ScheduleKeyDeletion"'),
    ),
    Row("deletion-retain", {"deletionPolicy": "Retain"}, {}, told_policy, ("Retain",) * 3, end="Enabled"),
    Row("deletion-disable", {"deletionPolicy": "DisableKey"}, {}, told_policy, ("DisableKey",) * 3, end="Disabled"),
    Row(
        "deletion-force",
        {"deletionPolicy": "ForceDelete", "pendingWindowInDays": 20},
        {},
        told_policy,
        ("ForceDelete",) * 3,
        end=7,
        seen_at_end=window,
    ),
    Row(
        "deletion-delete",
        {"deletionPolicy": "Delete", "pendingWindowInDays": 8},
        {},
        told_policy,
        ("Delete",) * 3,
        end=8,
        seen_at_end=window,
    ),
    Row(
        "pendingWindowInDays",
        {"pendingWindowInDays": 7},
        {"pendingWindowInDays": 9},
        described("KeyState"),
        ("Enabled",) * 3,
        bad=({"pendingWindowInDays": 31}, "spec.pendingWindowInDays in body should be less than or equal to 30"),
        end=30,
        seen_at_end=window,
    ),
    Row(
        "providerRef",
        {"providerRef": {"name": "main"}},
        {"providerRef": {"name": "second"}},
        lambda user, key_id: user.tags(key_id)["team"],
        ("platform", "second", "platform"),
        bad=({"providerRef": {"name": ""}}, "spec.providerRef.name in body should be at least 1 chars long"),
    ),
    Row(
        "resyncInterval",
        {"resyncInterval": "1h"},
        {"resyncInterval": "30m"},
        described("KeyState"),
        ("Enabled",) * 3,
        bad=({"resyncInterval": "1s"}, "write a duration of at least 30s"),
    ),
    Row(
        "adopt",
        {"adopt": {"alias": "fields/adopted"}, "tags": {"a": "1"}},
        {"description": "ours"},
        described("Description"),
        ("theirs", "ours", "ours"),
        bad=({"adopt": {"alias": "fields/other"}}, FIXED),
        before=key_of("fields/adopted"),
        fixed=("adopt",),
    ),
    Row(
        "managementPolicy",
        {"managementPolicy": "Observe", "adopt": {"alias": "fields/observed"}, "description": "ours"},
        {"managementPolicy": "Full"},
        described("Description"),
        ("theirs", "ours", "ours"),
        bad=({"adopt": None}, "managementPolicy Observe needs a key to observe"),
        before=key_of("fields/observed"),
        fixed=("adopt",),
    ),
    Row(
        "driftPolicy",
        {"driftPolicy": "Report", "description": "one"},
        {"driftPolicy": "Correct"},
        described("Description"),
        ("one", "one", ""),
        drift=by_hand,
        left="theirs",
        bad=({"driftPolicy": "Ignore"}, 'supported values: "Correct", "Report"'),
        reports=True,
    ),
    Row(
        "ignoreDrift",
        {"ignoreDrift": ["description"], "description": "one"},
        {"description": "two"},
        described("Description"),
        ("one", "two", ""),
        drift=by_hand,
        left="theirs",
        bad=({"ignoreDrift": ["colour"]}, "spec.ignoreDrift[0]"),
    ),
    Row(
        "origin",
        {"origin": "EXTERNAL"},
        {},
        described("Origin"),
        ("EXTERNAL",) * 3,
        bad=({"origin": None}, FIXED),
        needs=a_key_can_wait_for_its_material,
        unready="KeyPendingImport",
    ),
    Row(
        "rotateOnDemand",
        {"rotateOnDemand": "at the making it does nothing"},
        {"rotateOnDemand": "once"},
        rotations,
        (0, 1, 1),
        bad=({"rotateOnDemand": ""}, "spec.rotateOnDemand in body should be at least 1 chars long"),
        needs=a_key_is_rotated_on_demand,
    ),
    Row(
        "exportTo",
        {"exportTo": {"kind": "ConfigMap", "name": "exported"}},
        {"exportTo": {"kind": "Secret", "name": "exported"}},
        exported,
        (["configmaps"], ["secrets"], []),
        drift=lambda user, _key_id: user.kubectl("delete", "configmap", "exported"),
        bad=({"exportTo": {"kind": "Deployment", "name": "exported"}}, "spec.exportTo.kind"),
    ),
    Row(
        "replicas",
        {"multiRegion": True, "description": "one", "replicas": [{"region": "eu-west-1"}]},
        {"replicas": [{"region": "eu-west-1", "description": "two"}]},
        replica,
        (("one", "Enabled"), ("two", "Enabled"), ("two", "PendingDeletion")),
        drift=lambda user, key_id: user.kms_in("eu-west-1").update_key_description(KeyId=key_id, Description="theirs"),
        bad=({"replicas": [{"region": "Paris"}]}, "spec.replicas[0].region"),
        fixed=("multiRegion",),
        needs=replicas_have_tags_of_their_own,
        end=True,
        seen_at_end=lambda user, key_id: user.described(key_id)["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion"),
    ),
)
