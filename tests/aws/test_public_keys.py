import base64

import pytest

from aws.clients import Clients
from aws.credentials import AccessRequest
from aws.errors import AWSError, RetryableError
from aws.public_keys import pem, read_public_key
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable
from tests.aws.worlds import Answer, FakeAws, refusal, terms

ARN = "arn:aws:kms:eu-central-1:111122223333:key/k"


@pytest.mark.parametrize("size", [1, 48, 49, 294])
def test_a_public_key_has_lines_of_64(size: int) -> None:
    first, *lines, last, end = pem(b"x" * size).split("\n")
    assert (first, last, end) == ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----", "")
    assert base64.b64decode("".join(lines)) == b"x" * size
    assert {len(line) for line in lines[:-1]} <= {64}
    assert 0 < len(lines[-1]) <= 64


async def ask(answer: Answer) -> str | Unobservable:
    aws = FakeAws({"GetCallerIdentity": lambda *_: {"Account": "111122223333", "Arn": "a"}, "GetPublicKey": answer})
    clients = Clients(terms(aws.open), quota_fraction=1.0)
    try:
        return await read_public_key(await clients.connect(AccessRequest("ns/p", "eu-central-1")), ARN)
    finally:
        await clients.close()


def refusing(code: str) -> Answer:
    def answer(*_: object) -> dict[str, object]:
        raise refusal(code, operation="GetPublicKey")

    return answer


async def test_a_public_key_is_read() -> None:
    assert await ask(lambda *_: {"PublicKey": b"0"}) == pem(b"0")


async def test_one_that_may_not_be_read_is_told() -> None:
    hidden = await ask(refusing("AccessDeniedException"))
    assert isinstance(hidden, Unobservable)
    assert hidden.reason == Reason.ACCESS_DENIED


@pytest.mark.parametrize(("code", "error"), [("NotFoundException", RetryableError), ("DisabledException", RetryableError)])
async def test_what_passes_is_tried_again(code: str, error: type[AWSError]) -> None:
    with pytest.raises(error):
        await ask(refusing(code))


async def test_an_answer_without_a_key_is_garbage() -> None:
    with pytest.raises(RetryableError):
        await ask(lambda *_: {})
