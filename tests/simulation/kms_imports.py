"""The import of key material: parameters for it, the import itself, and what is taken for material.

Nothing is wrapped: the bytes that are sent stand for the material. A token is good for TOKEN_LASTS, and for its own key only.

Source: GetParametersForImport and ImportKeyMaterial of the KMS API reference.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.kms_errors import RefusedError, unsupported, validation
from tests.simulation.kms_keys import Key

TOKEN_LASTS = timedelta(hours=24)
LONGEST = timedelta(days=365)
EXPIRES = "KEY_MATERIAL_EXPIRES"


def parameters_for_import(key: Key, now: datetime) -> dict[str, Any]:
    """As GetParametersForImport tells them. Raises RefusedError."""
    check_external(key)
    ends = now + TOKEN_LASTS
    return {
        "KeyId": key.arn,
        "ImportToken": f"{key.arn} {ends.isoformat()}".encode(),
        "PublicKey": f"wrapping key of {key.key_id}".encode(),
        "ParametersValidTo": ends,
    }


def import_material(key: Key, parameters: Mapping[str, Any], now: datetime) -> Key:
    """The key with its material. Raises RefusedError."""
    check_external(key)
    _check_token(parameters["ImportToken"], key, now)
    digest = hashlib.sha256(parameters["EncryptedKeyMaterial"]).hexdigest()
    if key.material not in ("", digest):
        raise RefusedError("IncorrectKeyMaterialException", "The key material is not the one that was imported before.")
    state = "Enabled" if key.state == "PendingImport" else key.state
    return replace(key, state=state, imported=True, material=digest, valid_to=_valid_to(parameters, now))


def without_material(key: Key) -> Key:
    """The key once its material is gone, which makes it unusable at once."""
    return replace(key, state=key.state if key.is_leaving else "PendingImport", imported=False, valid_to=None)


def check_external(key: Key) -> None:
    """Raises RefusedError for a key that has material of KMS's own."""
    if key.origin != "EXTERNAL":
        raise unsupported(f"{key.arn} origin is {key.origin} which is not valid for this operation.")


def _check_token(token: bytes, key: Key, now: datetime) -> None:
    arn, _, ends = token.decode(errors="replace").partition(" ")
    if arn != key.arn:
        raise RefusedError("InvalidImportTokenException", "The import token is not one for this key.")
    if datetime.fromisoformat(ends) < now:
        raise RefusedError("ExpiredImportTokenException", "The import token has expired.")


def _valid_to(parameters: Mapping[str, Any], now: datetime) -> datetime | None:
    expires, date = parameters.get("ExpirationModel", EXPIRES) == EXPIRES, parameters.get("ValidTo")
    if expires != (date is not None):
        raise validation("ValidTo goes with KEY_MATERIAL_EXPIRES, and with nothing else")
    if date is not None and not now < date <= now + LONGEST:
        raise validation("ValidTo must be in the future, and at most 365 days ahead")
    return date
