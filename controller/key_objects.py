"""A KMSKey as the API server holds it, in the form in which it is decided about."""

import msgspec
from pydantic import ValidationError

from controller.decoding import read_status, tell
from controller.events import Regarding
from controller.objects import KubeObject, Ref, Resource
from reconcilers.attempts import Ages
from reconcilers.fields import UNSEEN
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.names import (
    API_VERSION,
    GROUP,
    KEY_ID_ANNOTATION,
    PAUSED_ANNOTATION,
    PLAN_ANNOTATION,
    RECONCILE_ANNOTATION,
    RECREATE_ANNOTATION,
    VERSION,
)
from reconcilers.reasons import Reason
from reconcilers.states import KeyObject, Problem, ProviderDefaults

KMSKEYS = Resource(GROUP, VERSION, "kmskeys", "KMSKey")
NO_AGES: Ages = {}


def is_unseen(obj: KubeObject) -> bool:
    """Whether nobody has reported on the object yet. An older CRD gives it no status at all."""
    return msgspec.json.decode(obj.status) in ({}, UNSEEN)


def read_spec(obj: KubeObject) -> KMSKeySpec | Problem:
    """The spec, or what is wrong with it: admission lets nothing wrong pass, but an older CRD may have."""
    try:
        return KMSKeySpec.model_validate_json(obj.spec)
    except ValidationError as error:
        return Problem(Reason.INVALID_SPEC, f"The spec cannot be read: {tell(error)}. Correct it.")


class _Named(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str | None = None


class _WithProvider(msgspec.Struct, gc=False, rename="camel"):
    provider_ref: _Named | None = None


def named_provider(obj: KubeObject) -> Ref | None:
    """The provider that the spec names; read without the rest, because it is asked of many objects at a time."""
    try:
        named = msgspec.json.decode(obj.spec, type=_WithProvider).provider_ref
    except msgspec.ValidationError:
        return None
    return Ref(named.namespace or obj.namespace, named.name) if named else None


def key_object(obj: KubeObject, spec: KMSKeySpec, defaults: ProviderDefaults | None, ages: Ages = NO_AGES) -> KeyObject:
    """The object with its spec as it was read, and its status as far as that can be read."""
    return KeyObject(
        namespace=obj.namespace,
        name=obj.name,
        uid=obj.uid,
        generation=obj.generation,
        deleting=obj.deletion_timestamp is not None,
        finalizers=obj.finalizers,
        spec=spec,
        status=read_status(obj, KMSKeyStatus),
        paused=obj.annotations.get(PAUSED_ANNOTATION) == "true",
        plan_only=obj.annotations.get(PLAN_ANNOTATION) == "true",
        reconcile_requested_at=obj.annotations.get(RECONCILE_ANNOTATION),
        recreate=obj.annotations.get(RECREATE_ANNOTATION),
        key_id_hint=obj.annotations.get(KEY_ID_ANNOTATION),
        defaults=defaults,
        ages=ages,
    )


def regarding(obj: KubeObject) -> Regarding:
    """The object as an event names it."""
    return Regarding(API_VERSION, "KMSKey", obj.namespace, obj.name, obj.uid)
