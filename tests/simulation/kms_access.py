"""Who may ask for what: the permissions that a call takes, and which keys are not the caller's to name or to change."""

from collections.abc import Iterator

from tests.simulation.kms_errors import RefusedError, denied
from tests.simulation.kms_keys import Key
from tests.simulation.kms_writes import Caller, Parameters


def permissions(operation: str, parameters: Parameters) -> Iterator[str]:
    """All that the call takes: what is made on the way needs a permission of its own."""
    yield operation
    if operation == "ReplicateKey":
        yield "CreateKey"
    if operation in ("CreateKey", "ReplicateKey") and parameters.get("Tags"):
        yield "TagResource"


def check_place(arn: str, operation: str, caller: Caller) -> None:
    """Raises RefusedError for what is no ARN of KMS's, or one of another account or region."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "kms":
        raise RefusedError("InvalidArnException", f"Invalid arn {arn}")
    if parts[4] != caller.account_id:
        raise denied(caller.arn, f"kms:{operation}", arn)
    if parts[3] != caller.region:
        raise RefusedError("NotFoundException", f"Invalid arn {parts[3]}")


def check_manager(key: Key, operation: str, caller: Caller) -> None:
    """Raises RefusedError for a write to a key that AWS manages."""
    if key.manager == "AWS":
        raise denied(caller.arn, f"kms:{operation}", key.arn)
