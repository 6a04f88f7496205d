"""An object that hangs something on a key as the API server holds it, in the form in which it is decided about."""

from typing import TypeVar

from pydantic import ValidationError

from controller.decoding import read_status, tell
from controller.objects import KubeObject
from reconcilers.dependents import DependentObject
from reconcilers.names import PAUSED_ANNOTATION, RECONCILE_ANNOTATION
from reconcilers.reasons import Reason
from reconcilers.states import Problem
from reconcilers.target_fields import DependentSpec, DependentStatus

P = TypeVar("P", bound=DependentSpec)
S = TypeVar("S", bound=DependentStatus)


def read_dependent(obj: KubeObject, model: type[P]) -> P | Problem:
    """The spec, or what is wrong with it: admission lets nothing wrong pass, but an older CRD may have."""
    try:
        return model.model_validate_json(obj.spec)
    except ValidationError as error:
        return Problem(Reason.INVALID_SPEC, f"The spec cannot be read: {tell(error)}. Correct it.")


def dependent_object(obj: KubeObject, spec: P, status: type[S]) -> DependentObject[P, S]:
    """The object with its spec as it was read, and its status as far as that can be read."""
    return DependentObject(
        namespace=obj.namespace,
        name=obj.name,
        uid=obj.uid,
        generation=obj.generation,
        deleting=obj.deletion_timestamp is not None,
        finalizers=obj.finalizers,
        spec=spec,
        status=read_status(obj, status),
        paused=obj.annotations.get(PAUSED_ANNOTATION) == "true",
        reconcile_requested_at=obj.annotations.get(RECONCILE_ANNOTATION),
    )
