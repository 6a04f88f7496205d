from dataclasses import replace

from aws.credentials import Access, AccessRequest, StaticCredentials

CANARIES = StaticCredentials("AKIACANARY", "canary-secret", "canary-token")
REQUEST = AccessRequest("ns/p", "eu-central-1", static=CANARIES, external_id="canary-external")


def test_no_repr_shows_a_secret() -> None:
    shown = repr([CANARIES, REQUEST, REQUEST.access, Access("eu-central-1", None, CANARIES)]) + str(REQUEST) + f"{CANARIES}"
    assert "canary" not in shown.lower()


def test_a_changed_secret_is_another_request() -> None:
    assert replace(REQUEST) == REQUEST
    assert replace(REQUEST, static=replace(CANARIES, secret_access_key="other")) != REQUEST
    assert replace(REQUEST, external_id="other") != REQUEST
