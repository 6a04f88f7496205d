"""The model of the API server keeps the rules that the operator's preconditions rest on."""

import json
from typing import Any

import pytest

from controller.kube import JSON, JSON_PATCH, MERGE_PATCH, Request, Response
from tests.simulation.api_server import ApiServer
from tests.simulation.etcd import Etcd

ALL = "/apis/aws-infra-operator.runner.codes/v1alpha1/namespaces/shop/kmskeys"
ONE = f"{ALL}/orders"
FINALIZER = "example.test/hold"
RELEASE = [{"op": "remove", "path": "/metadata/finalizers/0"}]


@pytest.fixture
def server() -> ApiServer:
    return ApiServer(Etcd(lambda: 0.0), lambda: "2026-03-01T12:00:00Z")


def send(server: ApiServer, verb: str, path: str, body: object = None, content_type: str = JSON, **query: str) -> Response:
    return server.handle(Request(verb, path, query, None if body is None else json.dumps(body).encode(), content_type))


def ask(server: ApiServer, verb: str, path: str, body: object = None, content_type: str = JSON, **query: str) -> dict[str, Any]:
    response = send(server, verb, path, body, content_type, **query)
    assert response.status < 300, response.body
    answer: dict[str, Any] = json.loads(response.body)
    return answer


def make(server: ApiServer, name: str = "orders", **metadata: object) -> dict[str, Any]:
    return ask(server, "POST", ALL, {"metadata": {"name": name, **metadata}, "spec": {"a": 1}, "status": {"not": "taken"}})


def test_a_new_object_has_no_status_of_its_makers_choice(server: ApiServer) -> None:
    made = make(server)
    assert "status" not in made
    assert made["metadata"]["generation"] == 1
    assert send(server, "POST", ALL, {"metadata": {"name": "orders"}}).status == 409


def test_a_write_to_the_status_changes_nothing_else_and_the_other_way_round(server: ApiServer) -> None:
    make(server)
    everything = {"spec": {"a": 2}, "status": {"ready": True}, "metadata": {"labels": {"x": "y"}}}
    after = ask(server, "PATCH", f"{ONE}/status", everything, MERGE_PATCH)
    assert (after["spec"], after["status"], after["metadata"]["generation"]) == ({"a": 1}, {"ready": True}, 1)
    assert "labels" not in after["metadata"]
    after = ask(server, "PATCH", ONE, everything | {"status": {"ready": False}}, MERGE_PATCH)
    assert (after["spec"], after["status"], after["metadata"]["generation"]) == ({"a": 2}, {"ready": True}, 2)


def test_a_write_that_changes_nothing_makes_no_version(server: ApiServer) -> None:
    before = make(server)
    assert ask(server, "PATCH", ONE, {"spec": {"a": 1}}, MERGE_PATCH) == before


def test_a_test_that_does_not_hold_is_a_422_without_a_cause(server: ApiServer) -> None:
    make(server)
    response = send(server, "PATCH", ONE, [{"op": "test", "path": "/metadata/uid", "value": "another"}], JSON_PATCH)
    assert response.status == 422
    assert json.loads(response.body)["details"] == {}


def test_an_old_version_in_a_put_is_a_conflict(server: ApiServer) -> None:
    old = make(server)
    ask(server, "PUT", ONE, old | {"spec": {"a": 2}})
    assert send(server, "PUT", ONE, old | {"spec": {"a": 3}}).status == 409


def test_a_finalizer_holds_an_object_and_none_is_added_then(server: ApiServer) -> None:
    make(server, finalizers=[FINALIZER])
    held = ask(server, "DELETE", ONE)
    assert held["metadata"]["generation"] == 2
    assert send(server, "PATCH", ONE, {"metadata": {"finalizers": [FINALIZER, "late.test/x"]}}, MERGE_PATCH).status == 422
    ask(server, "PATCH", ONE, RELEASE, JSON_PATCH)
    assert send(server, "GET", ONE).status == 404


def test_the_answer_to_the_last_release_has_no_finalizer_and_the_version_before_and_the_watch_tells_the_last_stored_state(
    server: ApiServer,
) -> None:
    make(server, finalizers=[FINALIZER])
    held = ask(server, "DELETE", ONE)
    answer = ask(server, "PATCH", ONE, RELEASE, JSON_PATCH)
    assert answer == held | {"metadata": {name: value for name, value in held["metadata"].items() if name != "finalizers"}}
    told = server.etcd.log[-1]
    assert (told.change, told.revision) == ("DELETED", server.etcd.revision)
    assert told.body == held | {"metadata": held["metadata"] | {"resourceVersion": str(server.etcd.revision)}}
    assert told.revision > int(held["metadata"]["resourceVersion"])


def test_lists_are_paged_until_a_compaction(server: ApiServer) -> None:
    for name in ("a", "b", "c"):
        make(server, name)
    first = ask(server, "GET", ALL, limit="2")
    second = ask(server, "GET", ALL, limit="2", **{"continue": first["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    make(server, "d")
    server.etcd.compact()
    assert send(server, "GET", ALL, limit="2", **{"continue": first["metadata"]["continue"]}).status == 410
