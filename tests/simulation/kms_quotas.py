"""KMS's request quotas: so many calls a second of each operation, for all callers of an account and region together; and how many keys.

Source: "Request quotas" of the KMS developer guide (2026). The tagging API's are not published; 5 is a guess on the strict side.
"""

from collections.abc import Mapping

from tests.simulation.kms_errors import throttled

PER_SECOND: dict[str, float] = {
    **dict.fromkeys(("CancelKeyDeletion", "CreateAlias", "CreateKey", "DisableKey", "DisableKeyRotation", "EnableKey"), 5),
    **dict.fromkeys(("GetKeyLastUsage", "GetResources", "ReplicateKey", "RotateKeyOnDemand", "UntagResource"), 5),
    **dict.fromkeys(("UpdateAlias", "UpdateKeyDescription", "UpdatePrimaryRegion"), 5),
    **dict.fromkeys(("DeleteAlias", "DeleteImportedKeyMaterial", "EnableKeyRotation", "ImportKeyMaterial"), 15),
    **dict.fromkeys(("PutKeyPolicy", "ScheduleKeyDeletion"), 15),
    **dict.fromkeys(("CreateGrant", "RetireGrant", "RevokeGrant"), 50),
    **dict.fromkeys(("ListGrants", "ListKeyPolicies", "ListKeyRotations", "ListRetirableGrants"), 100),
    **dict.fromkeys(("ListAliases", "ListKeys"), 500),
    **dict.fromkeys(("GetKeyPolicy", "GetKeyRotationStatus"), 1000),
    **dict.fromkeys(("DescribeKey", "GetPublicKey", "ListResourceTags"), 2000),
    "TagResource": 10,
    "GetParametersForImport": 1,
}
MAX_KEYS = 100_000  # of an account in a region, "Resource quotas"; those of AWS do not count


class RequestQuotas:
    """A second's worth of each, refilled evenly."""

    def __init__(self, per_second: Mapping[str, float]) -> None:
        self._per_second = per_second
        self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}  # what is left, and when that was so

    def admit(self, account_id: str, region: str, operation: str, now: float, calls: int = 1) -> None:
        """Takes so many calls at once, at the time `now` in seconds. Raises RefusedError; a refused call costs nothing."""
        rate = self._per_second.get(operation)
        if rate is None:
            return
        place = (account_id, region, operation)
        left, since = self._buckets.get(place, (rate, now))
        left = min(rate, left + (now - since) * rate)
        if left < calls:
            raise throttled()
        self._buckets[place] = (left - calls, now)


def request_quotas(*, on: bool) -> RequestQuotas:
    """KMS's own, all of them unused; or none."""
    return RequestQuotas(PER_SECOND if on else {})
