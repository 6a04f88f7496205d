"""CreateKey: which keys there can be, and how a new one looks. Never idempotent: each call that succeeds makes one more key."""

import uuid
from dataclasses import replace
from random import Random

from tests.simulation.kms_errors import RefusedError, unsupported, validation
from tests.simulation.kms_keys import Key
from tests.simulation.kms_policies import check_policy, default_policy
from tests.simulation.kms_tags import check_keys, check_number, read_tags
from tests.simulation.kms_writes import Parameters, Scene

_SIGN, _ENCRYPT, _MAC, _AGREE = "SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"
# "Key spec reference" of the KMS developer guide; SM2 exists in the China Regions only.
USAGES: dict[str, tuple[str, ...]] = {
    "SYMMETRIC_DEFAULT": (_ENCRYPT,),
    **dict.fromkeys(("HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"), (_MAC,)),
    **dict.fromkeys(("RSA_2048", "RSA_3072", "RSA_4096"), (_ENCRYPT, _SIGN)),
    **dict.fromkeys(("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"), (_SIGN, _AGREE)),
    **dict.fromkeys(("ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87"), (_SIGN,)),
    "SM2": (_ENCRYPT, _SIGN, _AGREE),
}


def new_key(parameters: Parameters, scene: Scene, random: Random) -> Key:
    """The key that this request makes. Raises RefusedError."""
    spec, usage = _spec(parameters), parameters.get("KeyUsage", _ENCRYPT)
    _check_pair(spec, usage, parameters, scene.caller.region)
    origin = parameters.get("Origin", "AWS_KMS")
    _check_store(origin, spec, parameters, scene)
    tags = read_tags(parameters.get("Tags", []))
    check_keys(list(tags))
    check_number(tags)
    if "Policy" in parameters:
        bypass = parameters.get("BypassPolicyLockoutSafetyCheck", False)
        check_policy(parameters["Policy"], scene.caller.arn, scene.unknown_principals, bypass=bypass)
    key_id = _key_id(random, multi_region=parameters.get("MultiRegion", False))
    account_id, region = scene.caller.account_id, scene.caller.region
    return Key(
        key_id=key_id,
        arn=f"arn:aws:kms:{region}:{account_id}:key/{key_id}",
        account_id=account_id,
        region=region,
        created=scene.now,
        spec=spec,
        usage=usage,
        multi_region=parameters.get("MultiRegion", False),
        description=parameters.get("Description", ""),
        policy=parameters.get("Policy", default_policy(account_id)),
        tags=tags,
        state="PendingImport" if origin == "EXTERNAL" else "Enabled",
        origin=origin,
        store=parameters.get("CustomKeyStoreId"),
        xks_key=parameters.get("XksKeyId"),
        primary_region=region if parameters.get("MultiRegion", False) else None,
    )


def aws_managed_key(alias: str, scene: Scene, random: Random) -> Key:
    """The key behind an alias of AWS's own, which nobody but AWS can change."""
    made = new_key({"Description": f"Default key of {alias.rpartition('/')[2]}"}, scene, random)
    return replace(made, manager="AWS", aliases=frozenset({alias}), rotation_days=365, rotates_from=scene.now)


def _spec(parameters: Parameters) -> str:
    named = {parameters[name] for name in ("KeySpec", "CustomerMasterKeySpec") if name in parameters}
    if len(named) > 1:
        raise validation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request.")
    return str(named.pop()) if named else "SYMMETRIC_DEFAULT"


def _check_pair(spec: str, usage: str, parameters: Parameters, region: str) -> None:
    if "KeyUsage" not in parameters and spec != "SYMMETRIC_DEFAULT":
        raise validation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
    if spec == "SM2" and not region.startswith("cn-"):
        raise unsupported(f"KeySpec {spec} is not supported in this Region")
    if usage not in USAGES[spec]:
        raise validation(f"KeyUsage {usage} is not compatible with KeySpec {spec}")


def _check_store(origin: str, spec: str, parameters: Parameters, scene: Scene) -> None:
    """"Keys in a custom key store": which parameters go together, and that the store has to be connected."""
    if (origin in ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")) != ("CustomKeyStoreId" in parameters):
        raise validation(f"Origin {origin} and CustomKeyStoreId do not go together")
    if (origin == "EXTERNAL_KEY_STORE") != ("XksKeyId" in parameters):
        raise validation(f"Origin {origin} and XksKeyId do not go together")
    store = parameters.get("CustomKeyStoreId")
    if store is None:
        return
    if spec != "SYMMETRIC_DEFAULT" or parameters.get("MultiRegion"):
        raise unsupported("Custom key stores hold single-Region symmetric encryption keys only")
    if store not in scene.stores:
        raise RefusedError("CustomKeyStoreNotFoundException", f"Custom key store {store} does not exist")
    if not scene.stores[store]:
        raise RefusedError("CustomKeyStoreInvalidStateException", f"Custom key store {store} is not connected")


def _key_id(random: Random, *, multi_region: bool) -> str:
    made = uuid.UUID(int=random.getrandbits(128), version=4)
    return f"mrk-{made.hex}" if multi_region else str(made)
