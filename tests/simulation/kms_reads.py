"""What each KMS read about one key tells: pure functions from the key as it is seen, the request, and the moment that the answer tells of.

Lists are paged: a marker is the place at which the next page begins.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tests.simulation.kms_errors import RefusedError, invalid_marker, unsupported
from tests.simulation.kms_imports import parameters_for_import
from tests.simulation.kms_keys import Key
from tests.simulation.kms_rotations import completed, rotation_status
from tests.simulation.kms_tags import written_tags
from tests.simulation.kms_writes import Answer, Parameters

POLICY_NAME = "default"
_GRANT_FILTERS = ("GrantId", "GranteePrincipal")


def page(name: str, items: Sequence[Any], parameters: Parameters) -> Answer:
    """Raises RefusedError for a marker that is none."""
    marker = parameters.get("Marker", "from-0")
    if not marker.startswith("from-"):
        raise invalid_marker()
    start = int(marker.removeprefix("from-"))
    end = start + parameters["Limit"]
    if end >= len(items):
        return {name: items[start:], "Truncated": False}
    return {name: items[start:end], "Truncated": True, "NextMarker": f"from-{end}"}


def _policy(key: Key, parameters: Parameters) -> Answer:
    if parameters.get("PolicyName", POLICY_NAME) != POLICY_NAME:
        raise RefusedError("NotFoundException", "No such policy exists")
    return {"Policy": key.policy, "PolicyName": POLICY_NAME}


def _public_key(key: Key) -> Answer:
    if not key.spec.startswith(("RSA_", "ECC_", "ML_", "SM2")):
        raise unsupported(f"{key.arn} key spec is not supported for this operation.")
    return {"KeyId": key.arn, "PublicKey": f"public half of {key.key_id}".encode(), "KeySpec": key.spec, "KeyUsage": key.usage}


def _last_usage(key: Key) -> Answer:
    told: Answer = {"KeyId": key.key_id, "TrackingStartDate": key.created, "KeyCreationDate": key.created}
    return told | ({"KeyLastUsage": key.used} if key.used else {})


def _grants(key: Key, parameters: Parameters) -> Answer:
    wanted = {name: parameters[name] for name in _GRANT_FILTERS if name in parameters}
    return page("Grants", [grant for grant in key.grants if wanted.items() <= dict(grant).items()], parameters)


READS: dict[str, Callable[[Key, Parameters, datetime], Answer]] = {
    "GetKeyLastUsage": lambda key, *_: _last_usage(key),
    "GetKeyPolicy": lambda key, parameters, _: _policy(key, parameters),
    "GetKeyRotationStatus": lambda key, _, moment: rotation_status(key, moment),
    "GetParametersForImport": lambda key, _, moment: parameters_for_import(key, moment),
    "GetPublicKey": lambda key, *_: _public_key(key),
    "ListGrants": lambda key, parameters, _: _grants(key, parameters),
    "ListKeyPolicies": lambda _, parameters, __: page("PolicyNames", [POLICY_NAME], parameters),
    "ListKeyRotations": lambda key, parameters, moment: page("Rotations", completed(key, moment), parameters),
    "ListResourceTags": lambda key, parameters, _: page("Tags", written_tags(key.tags), parameters),
}
