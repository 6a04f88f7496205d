"""Would the API server take this object? Judged by the models, and by the server itself where there is one.

Rules:
1. The models judge first, in the same words as the operator's own conditions: unknown fields, types, limits, patterns.
2. The server judges all the rest in a dry run: rules between fields, rules about changes, and whatever else admission does in this cluster.
   A new object is created in thought, one that is there gets the spec.
3. Only a refusal of the object is a refusal. That we may not ask (403), or that the namespace or the kind is not there yet (404), is for the
   caller to tell.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from controller.decoding import tell
from controller.key_objects import KMSKEYS
from controller.kmsaliases import KMSALIASES
from controller.kmsgrants import KMSGRANTS
from controller.kube import Forbidden, Kube, KubeError, NotFound, Unauthorized, Unavailable
from controller.manifests import Manifest
from controller.objects import KubeObject, Resource
from controller.provider_objects import AWSPROVIDERS
from reconcilers.alias_fields import KMSAliasSpec
from reconcilers.crds import crds
from reconcilers.fields import Model
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmsgrant_fields import KMSGrantSpec
from reconcilers.provider_fields import AWSProviderSpec

Json = dict[str, Any]

KINDS: Final[dict[str, tuple[Resource, type[Model]]]] = {
    "KMSKey": (KMSKEYS, KMSKeySpec),
    "AWSProvider": (AWSPROVIDERS, AWSProviderSpec),
    "KMSAlias": (KMSALIASES, KMSAliasSpec),
    "KMSGrant": (KMSGRANTS, KMSGrantSpec),
}


class NotJudgedError(Exception):
    """The server could not be asked about this object; the message is its answer."""


def refused_by_models(manifest: Manifest) -> str | None:
    """What is wrong with the object as far as the models can tell, and None if nothing is."""
    resource, model = KINDS[manifest.kind]
    if manifest.api_version != resource.api_version:
        return f"There is no {manifest.kind} of apiVersion {manifest.api_version}: write {resource.api_version}."
    unknown = ", ".join(_unknown(manifest.spec, _schema(manifest.kind), "spec"))
    if unknown:
        return f"Unknown fields: {unknown}. Correct or remove them."
    try:
        model.model_validate_json(msgspec.json.encode(manifest.spec))
    except ValidationError as error:
        return f"The spec cannot be read: {tell(error)}. Correct it."
    return None


async def refused_by_server(kube: Kube, manifest: Manifest, live: KubeObject | None) -> str | None:
    """The server's refusal of the object, and None if it takes it. The kube makes dry runs of its writes.

    Raises NotJudgedError where the server did not judge the object, and KubeError where it could not be reached.
    """
    resource, _ = KINDS[manifest.kind]
    try:
        if live is None:
            await kube.post(resource.path(manifest.ref.namespace), manifest.body)
        else:
            await kube.json_patch(resource.path(*live.ref), [{"op": "add", "path": "/spec", "value": manifest.spec}])
    except (Forbidden, NotFound) as error:
        raise NotJudgedError(error.message) from error
    except (Unauthorized, Unavailable):
        raise
    except KubeError as error:
        return error.message
    return None


def _schema(kind: str) -> Json:
    (crd,) = (crd for crd in crds() if crd["spec"]["names"]["kind"] == kind)
    schema: Json = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def _unknown(value: Any, schema: Json, path: str) -> Iterator[str]:
    """The paths of all fields that the schema does not have."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(item, schema.get("items", {}), f"{path}[{number}]")
    if not isinstance(value, dict) or "properties" not in schema:
        return
    for name, child in value.items():
        if name in schema["properties"]:
            yield from _unknown(child, schema["properties"][name], f"{path}.{name}")
        else:
            yield f"{path}.{name}"
