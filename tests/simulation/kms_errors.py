"""How KMS, STS and the tagging API say no: a code, AWS's wording, an HTTP status. The core raises these; adapters give them their form."""


class RefusedError(Exception):
    """A refusal by AWS itself: nothing was done."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


def not_found(key: str) -> RefusedError:
    return RefusedError("NotFoundException", f"Key '{key}' does not exist")


def invalid_state(arn: str, state: str) -> RefusedError:
    words = {"PendingDeletion": "pending deletion", "PendingReplicaDeletion": "pending replica deletion", "PendingImport": "pending import"}
    return RefusedError("KMSInvalidStateException", f"{arn} is {words.get(state, state)}.")


def disabled(arn: str) -> RefusedError:
    return RefusedError("DisabledException", f"{arn} is disabled.")


def unsupported(message: str) -> RefusedError:
    return RefusedError("UnsupportedOperationException", message)


def validation(message: str) -> RefusedError:
    return RefusedError("ValidationException", message)


def constraint(value: object, field: str, rule: str) -> RefusedError:
    """The wording of AWS's front door, which checks the service model before the service sees the request."""
    shown = str(value)[:64]
    return validation(f"1 validation error detected: Value '{shown}' at '{field}' failed to satisfy constraint: {rule}")


def dry_run() -> RefusedError:
    return RefusedError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.", 412)


def malformed_policy(message: str) -> RefusedError:
    return RefusedError("MalformedPolicyDocumentException", message)


def limit_exceeded(message: str) -> RefusedError:
    return RefusedError("LimitExceededException", message)


def alias_exists(arn: str) -> RefusedError:
    return RefusedError("AlreadyExistsException", f"An alias with the name {arn} already exists")


def replica_exists(arn: str) -> RefusedError:
    return RefusedError("AlreadyExistsException", f"{arn} already exists")


def invalid_arn(message: str) -> RefusedError:
    return RefusedError("InvalidArnException", message)


def alias_not_found(arn: str) -> RefusedError:
    return RefusedError("NotFoundException", f"Alias {arn} is not found.")


def invalid_alias(message: str) -> RefusedError:
    return RefusedError("InvalidAliasNameException", message)


def tag_error(message: str) -> RefusedError:
    return RefusedError("TagException", message)


def denied(caller: str, action: str, resource: str) -> RefusedError:
    message = f"User: {caller} is not authorized to perform: {action} on resource: {resource}"
    return RefusedError("AccessDeniedException", message)


def invalid_marker() -> RefusedError:
    return RefusedError("InvalidMarkerException", "The marker is not valid")


def throttled() -> RefusedError:
    words = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
    return RefusedError("ThrottlingException", words)
