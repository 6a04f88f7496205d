"""The kinds, whole: the models are the API, and the CRDs are generated from them.

What one field may hold stands in the modules *_fields and key_spec; here is what may not change once a key exists.
"""

from typing import ClassVar

from reconcilers.alias_fields import KMSAliasSpec, KMSAliasStatus
from reconcilers.fields import Model, Rule, cel, together
from reconcilers.key_rules import KEY_STORE, ORIGIN, SPEC, USAGE, XKS_KEY
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmsgrant_fields import KMSGrantSpec, KMSGrantStatus
from reconcilers.provider_fields import AWSProviderSpec, AWSProviderStatus


def _unchanged(resolve: str, field: str, what: str) -> Rule:
    """What KMS cannot change."""
    return _fixed(resolve, f"{field} cannot change once the key exists, because KMS cannot change {what}: make a new KMSKey")


def _fixed(resolve: str, message: str) -> Rule:
    """A transition rule of the root: the resolved value is what it was."""
    before, after = resolve.replace("self.", "oldSelf.spec."), resolve.replace("self.", "self.spec.")
    return cel(f"{before} == {after}", message, ".spec")


# Until then, what is wrong may be set right.
_NO_KEY_YET = "!(has(oldSelf.status) && has(oldSelf.status.keyId))"


_RESOLVED_MULTI_REGION = "(has(self.multiRegion) && self.multiRegion)"
_NAMES = " + ',' + ".join(f"(has(self.adopt.{name}) ? self.adopt.{name} : '')" for name in ("keyId", "arn", "alias"))
_POLICY = "(has(self.adopt.policy) ? self.adopt.policy : 'Adopt')"
_RESOLVED_ADOPTION = f"(has(self.adopt) ? {_NAMES} + ',' + {_POLICY} : '')"


class KMSKey(Model):
    """A key in AWS KMS: exactly one for this object, kept as its spec says."""

    spec: KMSKeySpec
    status: KMSKeyStatus = KMSKeyStatus()

    cel: ClassVar = (
        together(
            f"{_NO_KEY_YET} || self.spec == oldSelf.spec",
            _unchanged(SPEC, "keySpec", "the spec of a key"),
            _unchanged(USAGE, "keyUsage", "the usage of a key"),
            _unchanged(ORIGIN, "origin", "where a key's material comes from"),
            _unchanged(KEY_STORE, "customKeyStoreId", "the store of a key"),
            _unchanged(XKS_KEY, "xksKeyId", "the external key behind a key"),
            _unchanged(_RESOLVED_MULTI_REGION, "multiRegion", "a key into or out of a multi-Region key"),
            _fixed(_RESOLVED_ADOPTION, "adopt cannot change once the object has its key: make a new KMSKey"),
        ),
    )


_IN_USE = "has(oldSelf.status) && has(oldSelf.status.keysInUse) && oldSelf.status.keysInUse > 0"
_SAME_PIN = "has(oldSelf.spec.accountID) && oldSelf.spec.accountID == self.spec.accountID"
_PIN_OF_WHAT_WAS_SEEN = "has(oldSelf.status.accountID) && oldSelf.status.accountID == self.spec.accountID"


class AWSProvider(Model):
    """An account and region of AWS, and the credentials for it."""

    spec: AWSProviderSpec
    status: AWSProviderStatus = AWSProviderStatus()

    cel: ClassVar = (
        cel(
            f"!({_IN_USE}) || oldSelf.spec.region == self.spec.region",
            "region cannot change while keys use this provider, because KMS keys cannot move: make another AWSProvider",
            ".spec.region",
        ),
        cel(
            f"!({_IN_USE}) || !has(self.spec.accountID) || ({_SAME_PIN}) || ({_PIN_OF_WHAT_WAS_SEEN})",
            "accountID cannot name another account while keys use this provider, because KMS keys cannot move: make another AWSProvider",
            ".spec.accountID",
        ),
    )


class KMSAlias(Model):
    """A name for a key that this object does not own."""

    spec: KMSAliasSpec
    status: KMSAliasStatus = KMSAliasStatus()

    cel: ClassVar = (
        cel(
            "self.spec.aliasName == oldSelf.spec.aliasName",
            "aliasName cannot change, because KMS cannot rename an alias: make a new KMSAlias",
            ".spec.aliasName",
        ),
    )


class KMSGrant(Model):
    """Rights of somebody on a key that this object does not own."""

    spec: KMSGrantSpec
    status: KMSGrantStatus = KMSGrantStatus()
