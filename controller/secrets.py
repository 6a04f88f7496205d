"""Credentials from a Secret, in either of the two shapes that an AWSProvider may name. Read by name, never listed, never logged."""

import base64
import binascii
from dataclasses import dataclass

import msgspec

from aws.credentials import StaticCredentials
from controller.kube import Forbidden, Kube, NotFound
from controller.objects import Resource
from reconcilers.provider_fields import AWSProviderSpec, SecretKeyRef

SECRETS = Resource("", "v1", "secrets", "Secret")


class CredentialsInvalidError(Exception):
    """The Secret does not hold usable credentials; the message names what is wrong and no value."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the Secrets hold. trimmed: which of the values have blanks around them, which were left out; in words."""

    static: StaticCredentials
    trimmed: tuple[str, ...] = ()


class _Secret(msgspec.Struct, gc=False):
    data: dict[str, str] | None = None


async def read_credentials(kube: Kube, namespace: str, spec: AWSProviderSpec) -> Found | None:
    """The provider's access key; None when it names no Secret. Raises CredentialsInvalidError and KubeError."""
    refs = _refs(spec)
    if refs is None:
        return None
    key_id, secret_key, token = refs
    secrets = {name: await _secret(kube, namespace, name) for name in {ref.name for ref in refs if ref}}
    has_token = token is not None and (spec.session_token_ref is not None or token.key in secrets[token.name])
    used = [key_id, secret_key, *((token,) if token is not None and has_token else ())]
    texts = [_value(secrets, ref) for ref in used]
    trimmed = tuple(f"{ref.key} of the Secret {ref.name}" for ref, text in zip(used, texts, strict=True) if text != text.strip())
    return Found(StaticCredentials(*(text.strip() for text in texts)), trimmed)


def _refs(spec: AWSProviderSpec) -> tuple[SecretKeyRef, SecretKeyRef, SecretKeyRef | None] | None:
    if spec.credentials_secret is not None:
        name = spec.credentials_secret.name
        key_id, secret_key, token = (
            SecretKeyRef(name=name, key=key) for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        )
        return key_id, secret_key, token
    if spec.access_key_id_ref is not None and spec.secret_access_key_ref is not None:
        return spec.access_key_id_ref, spec.secret_access_key_ref, spec.session_token_ref
    return None


async def _secret(kube: Kube, namespace: str, name: str) -> dict[str, str]:
    try:
        raw = await kube.get(SECRETS.path(namespace, name))
    except NotFound:
        raise CredentialsInvalidError(f"There is no Secret {name} in the namespace {namespace}: create it.") from None
    except Forbidden:
        message = f"The operator may not read the Secret {name} in the namespace {namespace}: allow its ServiceAccount to get it."
        raise CredentialsInvalidError(message) from None
    return msgspec.json.decode(raw, type=_Secret).data or {}


def _value(secrets: dict[str, dict[str, str]], ref: SecretKeyRef) -> str:
    """The text of one key, with the newline that `echo` and editors leave at its end."""
    encoded = secrets[ref.name].get(ref.key)
    if encoded is None:
        raise CredentialsInvalidError(f"The Secret {ref.name} has no key {ref.key}: add it, or correct the provider.")
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise CredentialsInvalidError(f"The key {ref.key} of the Secret {ref.name} is not plain text: write it anew.") from None
    if not text.strip():
        raise CredentialsInvalidError(f"The key {ref.key} of the Secret {ref.name} is empty: fill it.")
    if not text.strip().isprintable():  # what has a line break in it cannot stand in a header
        raise CredentialsInvalidError(f"The key {ref.key} of the Secret {ref.name} is not plain text: write it anew.")
    return text
