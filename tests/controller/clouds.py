"""Both clouds in small, at the wire: an API server with a few objects, an AWS account with a few keys. For the commands that only look.

Both fail a test that writes: the server takes dry runs only, and the account takes none of the operations that change keys.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aws.credentials import Access
from controller.key_objects import KMSKEYS
from controller.kmsaliases import KMSALIASES
from controller.kube import Request, Response, Stream
from controller.namespaces import NAMESPACES
from controller.objects import Resource
from controller.provider_objects import AWSPROVIDERS
from controller.read_only import Clouds, read_only
from reconcilers.names import API_VERSION, CLUSTER_TAG, OWNER_TAG, UID_TAG
from tests.aws.worlds import Answer, FakeAws, refusal

Json = dict[str, Any]

CLUSTER_ID = "0b6c7ad2-52a5-4d9e-9a52-0d6f6c1f4f01"
ACCOUNT, REGION = "111122223333", "eu-central-1"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/u"
DENIED = "AccessDeniedException"
MADE = datetime(2026, 1, 1, 12, tzinfo=UTC)
KINDS: Mapping[str, Resource] = {"KMSAlias": KMSALIASES, "KMSKey": KMSKEYS, "AWSProvider": AWSPROVIDERS}


def status(code: int, reason: str, message: str, **details: object) -> Response:
    """A refusal."""
    return Response(code, json.dumps({"code": code, "reason": reason, "message": message, "details": details}).encode())


class SmallCluster:
    """A Transport. refusals: the answer to a dry run, by method; otherwise it is granted."""

    def __init__(self, *objects: Json) -> None:
        self.objects = {NAMESPACES.path(name="kube-system"): {"metadata": {"name": "kube-system", "uid": CLUSTER_ID, "resourceVersion": "1"}}}
        self.refusals: dict[str, Response] = {}
        self.judged: list[Request] = []
        self.read: list[str] = []  # paths
        self.down = False
        self.unknown_kinds: set[str] = set()  # plurals that this server does not serve
        for obj in objects:
            self.objects[KINDS[obj["kind"]].path(obj["metadata"]["namespace"], obj["metadata"]["name"])] = obj

    async def send(self, request: Request) -> Response:
        if self.down:
            raise ConnectionRefusedError("nobody listens")
        if request.method == "GET":
            return self._read(request)
        assert request.query == {"dryRun": "All", "fieldValidation": "Strict"}
        self.judged.append(request)
        return self.refusals.get(request.method, Response(200, b"{}"))

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        raise AssertionError(f"{request.path} was watched")

    async def close(self) -> None:
        """Nothing is open."""

    def _read(self, request: Request) -> Response:
        """One object, or a page of one of those that are in scope."""
        self.read.append(request.path)
        if request.path in self.objects:
            return Response(200, json.dumps(self.objects[request.path]).encode())
        if "limit" not in request.query:
            return status(404, "NotFound", f"{request.path} not found")
        scope, _, plural = request.path.rpartition("/")
        if plural in self.unknown_kinds:
            return status(404, "NotFound", "the server could not find the requested resource")
        found = [obj for path, obj in self.objects.items() if path.startswith(scope) and f"/{plural}/" in path]
        page = int(request.query.get("continue", "0"))
        following = str(page + 1) if page + 1 < len(found) else ""
        body = {"metadata": {"resourceVersion": "1", "continue": following}, "items": found[page : page + 1]}
        return Response(200, json.dumps(body).encode())


def kubernetes(kind: str, name: str, spec: Json, namespace: str = "shop", **more: Any) -> Json:
    """An object as the server holds it; `more` goes into its metadata, but for its status."""
    metadata = {"name": name, "namespace": namespace, "uid": f"uid of {name}", "resourceVersion": "7", "generation": 1}
    state = {"status": more.pop("status")} if "status" in more else {}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {**metadata, **more}, "spec": spec, **state}


@dataclass
class SmallKey:
    """A key in AWS."""

    tags: Mapping[str, str]
    state: str = "Enabled"
    description: str = ""
    rotates: bool = False
    manager: str = "CUSTOMER"


@dataclass
class SmallAws(FakeAws):
    """One account and region. keys: by id; refused: AWS's code by operation; late: ids that the tag index does not show yet."""

    keys: dict[str, SmallKey] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        told: dict[str, Callable[[Mapping[str, Any]], Json]] = {
            "GetCallerIdentity": lambda _: {"Account": ACCOUNT, "Arn": CALLER},
            "DescribeKey": lambda p: {"KeyMetadata": self._metadata(key_id(p["KeyId"]))},
            "ListResourceTags": lambda p: {"Tags": pairs(self._key(key_id(p["KeyId"])).tags, "TagKey", "TagValue")},
            "GetKeyRotationStatus": lambda p: {"KeyRotationEnabled": self._key(key_id(p["KeyId"])).rotates},
            "ListKeys": lambda _: {"Keys": [{"KeyArn": key_arn(name)} for name in self.keys]},
            "GetResources": lambda p: {"ResourceTagMappingList": self._indexed(p["TagFilters"])},
        }
        self.answers = {operation: self._unless_refused(operation, answer) for operation, answer in told.items()}

    def _unless_refused(self, operation: str, answer: Callable[[Mapping[str, Any]], Json]) -> Answer:
        def tell(_: Access, parameters: Mapping[str, Any]) -> Json:
            if operation in self.refused:
                raise refusal(self.refused[operation], operation=operation)
            return answer(parameters)

        return tell

    def _key(self, name: str) -> SmallKey:
        if name not in self.keys:
            raise refusal("NotFoundException")
        return self.keys[name]

    def _metadata(self, name: str) -> Json:
        key = self._key(name)
        about = {"AWSAccountId": ACCOUNT, "KeyId": name, "Arn": key_arn(name), "CreationDate": MADE, "KeyManager": key.manager}
        deleted = {"DeletionDate": datetime(2026, 1, 31, 12, tzinfo=UTC)} if key.state == "PendingDeletion" else {}
        return {**about, "KeyState": key.state, "Description": key.description, **deleted}

    def _indexed(self, filters: list[Json]) -> list[Json]:
        wanted = [(one["Key"], one["Values"]) for one in filters]
        shown = {name: key.tags for name, key in self.keys.items() if name not in self.late}
        return [
            {"ResourceARN": key_arn(name), "Tags": pairs(tags, "Key", "Value")}
            for name, tags in shown.items()
            if all(tags.get(tag) in values for tag, values in wanted)
        ]


def owner_tags(name: str, cluster: str = CLUSTER_ID, namespace: str = "shop") -> dict[str, str]:
    """The tags of a key of that object."""
    return {CLUSTER_TAG: cluster, OWNER_TAG: f"{namespace}/{name}", UID_TAG: f"uid of {name}"}


def key_arn(name: str) -> str:
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}"


def key_id(key: str) -> str:
    """Of an id or an ARN."""
    return key.rpartition("/")[2]


def pairs(tags: Mapping[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


@asynccontextmanager
async def looking(cluster: SmallCluster | None, aws: FakeAws, given: Mapping[str, bytes] | None = None) -> AsyncIterator[Clouds]:
    """Both, as a command gets them."""
    async with read_only(cluster, given or {}, aws.open) as clouds:
        yield clouds
