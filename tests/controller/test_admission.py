import json
from typing import Any

import pytest

from controller.admission import NotJudgedError, refused_by_models, refused_by_server
from controller.dry_run import DryRun
from controller.key_objects import KMSKEYS
from controller.kube import Kube, Response, Unauthorized, Unavailable
from controller.manifests import Manifest
from controller.objects import Ref, decode_object
from reconcilers.names import API_VERSION
from tests.controller.clouds import SmallCluster, kubernetes, status


def manifest(spec: dict[str, Any], kind: str = "KMSKey", api_version: str = API_VERSION) -> Manifest:
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "orders", "namespace": "shop"}, "spec": spec}
    return Manifest("file.yaml", api_version, kind, Ref("shop", "orders"), {}, body)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({}, "KMSKey"),
        ({"description": None, "tags": {"any": "key"}, "providerRef": {"name": "main"}}, "KMSKey"),
        ({"keySpec": "TOMORROWS_SPEC", "deletionPolicy": "Retain"}, "KMSKey"),
        ({"region": "eu-central-1", "accountID": "111122223333", "sessionTags": {"a": "b"}}, "AWSProvider"),
    ],
)
def test_the_models_take_what_is_right(spec: dict[str, Any], kind: str) -> None:
    assert refused_by_models(manifest(spec, kind)) is None


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ({"keyspec": "RSA_2048"}, "KMSKey", "Unknown fields: spec.keyspec. Correct or remove them."),
        ({"key_spec": "RSA_2048"}, "KMSKey", "Unknown fields: spec.key_spec."),
        ({"providerRef": {"name": "a", "kind": "b"}, "x": 1}, "KMSKey", "Unknown fields: spec.providerRef.kind, spec.x."),
        ({"pendingWindowInDays": 31}, "KMSKey", "pendingWindowInDays: Input should be less than or equal to 30"),
        ({"pendingWindowInDays": "30"}, "KMSKey", "pendingWindowInDays: Input should be a valid integer"),
        ({"tags": {"a": 1}}, "KMSKey", "tags.a: Input should be a valid string"),
        ({}, "AWSProvider", "region: Field required"),
        ({"region": "eu-central-1", "accountID": 111122223333}, "AWSProvider", "accountID: Input should be a valid string"),
    ],
)
def test_the_models_say_what_is_wrong(spec: dict[str, Any], kind: str, words: str) -> None:
    refusal = refused_by_models(manifest(spec, kind))
    assert refusal is not None
    assert words in refusal


def test_a_version_that_is_not_served_is_refused() -> None:
    refusal = refused_by_models(manifest({}, api_version="aws-infra-operator.runner.codes/v1"))
    assert refusal == f"There is no KMSKey of apiVersion aws-infra-operator.runner.codes/v1: write {API_VERSION}."


def kube(cluster: SmallCluster) -> Kube:
    return Kube(DryRun(cluster, {}))


async def test_a_new_object_is_created_in_thought() -> None:
    cluster, wish = SmallCluster(), manifest({"description": "x"})
    assert await refused_by_server(kube(cluster), wish, None) is None
    (judged,) = cluster.judged
    assert (judged.method, judged.path) == ("POST", KMSKEYS.path("shop"))
    assert judged.body is not None
    assert json.loads(judged.body) == wish.body


async def test_an_object_that_is_there_gets_the_spec_in_thought() -> None:
    cluster = SmallCluster()
    live = decode_object(json.dumps(kubernetes("KMSKey", "orders", {})).encode())
    assert await refused_by_server(kube(cluster), manifest({"description": "x"}), live) is None
    (judged,) = cluster.judged
    assert (judged.method, judged.path) == ("PATCH", KMSKEYS.path("shop", "orders"))
    assert judged.body is not None
    assert json.loads(judged.body) == [{"op": "add", "path": "/spec", "value": {"description": "x"}}]


@pytest.mark.parametrize(
    "answer",
    [
        status(422, "Invalid", "keySpec is fixed", causes=[{"reason": "FieldValueInvalid"}]),
        status(400, "BadRequest", "unknown field"),
        status(409, "AlreadyExists", "somebody was faster"),
    ],
)
async def test_a_refusal_is_told_in_the_servers_words(answer: Response) -> None:
    cluster = SmallCluster()
    cluster.refusals["POST"] = answer
    assert await refused_by_server(kube(cluster), manifest({}), None) == json.loads(answer.body)["message"]


@pytest.mark.parametrize("answer", [status(403, "Forbidden", "you may not create"), status(404, "NotFound", 'namespaces "shop" not found')])
async def test_what_the_server_does_not_judge_is_no_refusal(answer: Response) -> None:
    cluster = SmallCluster()
    cluster.refusals["POST"] = answer
    with pytest.raises(NotJudgedError) as told:
        await refused_by_server(kube(cluster), manifest({}), None)
    assert str(told.value) == json.loads(answer.body)["message"]


@pytest.mark.parametrize(
    ("answer", "error"), [(status(401, "Unauthorized", "who?"), Unauthorized), (status(503, "Unavailable", "later"), Unavailable)]
)
async def test_a_server_that_cannot_answer_is_an_error(answer: Response, error: type[Exception]) -> None:
    cluster = SmallCluster()
    cluster.refusals["POST"] = answer
    with pytest.raises(error):
        await refused_by_server(kube(cluster), manifest({}), None)
