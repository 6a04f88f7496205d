"""Key material that KMS does not make itself: imported, or kept in a custom key store.

Rules:
1. The operator never sees material. A key that waits for its import says how to import it, and takes no more writes than KMS allows then.
2. A custom key store has to be connected before a key is made in it; the operator does not connect it, and says so.
3. ForceDelete deletes imported material before it schedules the deletion: from then on the key is useless, which takes effect at once.

Not promised: that older imported material of a key that was rotated goes too. The key cannot be used without it, and goes with the window.
"""

from typing import Final

from reconcilers.actions import DeleteImportedKeyMaterial
from reconcilers.key_spec import KMSKeySpec
from reconcilers.reasons import Reason
from reconcilers.states import OWN_MATERIAL, Material, ObservedKey, Problem

IMPORTED = "EXTERNAL"

# What CreateKey says of a custom key store: the reason, what to do, and that somebody has to.
STORE_REFUSALS: Final[dict[str, tuple[Reason, str, bool]]] = {
    "CustomKeyStoreInvalidStateException": (
        Reason.KEY_STORE_NOT_CONNECTED,
        "Connect the custom key store (`aws kms connect-custom-key-store`); the operator tries again.",
        True,
    ),
    "CustomKeyStoreNotFoundException": (Reason.KEY_STORE_REFUSED, "Correct spec.customKeyStoreId.", True),
    "CloudHsmClusterInvalidConfigurationException": (Reason.KEY_STORE_REFUSED, "Give the store's CloudHSM cluster two active HSMs.", True),
    "XksKeyNotFoundException": (Reason.KEY_STORE_REFUSED, "Correct spec.xksKeyId, or make that key in the external key manager.", True),
    "XksKeyAlreadyInUseException": (Reason.KEY_STORE_REFUSED, "Choose an external key that no other KMS key of the store uses.", True),
    "XksKeyInvalidConfigurationException": (Reason.KEY_STORE_REFUSED, "Make the external key an enabled 256-bit AES key.", True),
}


def wanted_material(spec: KMSKeySpec) -> Material:
    """As the user has declared it."""
    return Material(spec.origin or OWN_MATERIAL.origin, spec.custom_key_store_id, spec.xks_key_id)


def material_of(seen: ObservedKey) -> Material:
    """As it is."""
    return Material(seen.origin, seen.custom_key_store_id, seen.xks_key_id)


def fixed_material(wanted: Material, seen: ObservedKey) -> dict[str, tuple[str | None, str | None]]:
    """What cannot change: by field, as it shall be and as it is."""
    return {
        "origin": (wanted.origin, seen.origin),
        "customKeyStoreId": (wanted.custom_key_store_id, seen.custom_key_store_id),
        "xksKeyId": (wanted.xks_key_id, seen.xks_key_id),
    }


def lacks_material(seen: ObservedKey) -> Problem | None:
    """Why the key cannot be used for want of its material, and what to do; None when it has it."""
    if seen.state == "PendingImport":
        return Problem(
            Reason.KEY_PENDING_IMPORT,
            "The key waits for its key material. Get a wrapping key and an import token with `aws kms get-parameters-for-import --key-id "
            f"{seen.key_id} --wrapping-algorithm RSAES_OAEP_SHA_256 --wrapping-key-spec RSA_4096`, encrypt the material with it, and send it "
            f"with `aws kms import-key-material --key-id {seen.key_id}`. The operator looks again within five minutes.",
        )
    if seen.state == "Unavailable":
        store = seen.custom_key_store_id or "of the key"
        return Problem(
            Reason.KEY_UNAVAILABLE,
            f"The custom key store {store} is not connected, so the key cannot be used: see why with `aws kms describe-custom-key-stores`, "
            "and connect it with `aws kms connect-custom-key-store`.",
        )
    return None


def to_destroy(seen: ObservedKey) -> tuple[DeleteImportedKeyMaterial, ...]:
    """What ends the use of the key at once."""
    return (DeleteImportedKeyMaterial(seen.arn),) if seen.origin == IMPORTED and seen.has_imported_material else ()
