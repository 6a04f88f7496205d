"""Bad inputs that are met on the way to AWS: a provider that cannot be used, an object with the finalizers of others.

The numbers B1 to B126 are one list over three levels: see tests/reconcilers/test_bad_inputs.py and tests/cluster/test_bad_inputs.py.
"""

import base64
import json
from typing import Any

import pytest

from aws.clients import Connection
from controller.objects import KubeObject, decode_object
from controller.patches import remove_finalizer
from controller.provider_access import ProviderAccess, ProviderRules
from controller.secrets import SECRETS
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable
from tests.controller.clouds import REGION, SmallAws, SmallCluster, kubernetes, looking

Spec = dict[str, Any]

HERE = {"region": REGION}
SECRET = {"credentialsSecret": {"name": "aws"}}
GOOD = {"AWS_ACCESS_KEY_ID": b"AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": b"canary"}
ROLE = "arn:aws:iam::123456789012:role/operator"
STRICT = ProviderRules(ambient_namespaces=())

# The provider's spec, what its Secret holds (None: there is none), the operator's rules, and the reason.
Row = tuple[str, Spec, dict[str, bytes] | None, ProviderRules, Reason]
REFUSED: list[Row] = [
    ("B107: a region that there is not", {"region": "us-east-99"}, None, ProviderRules(), Reason.INVALID_REGION),
    ("B110: an endpoint", {"endpoint": "http://kms.internal"}, None, ProviderRules(), Reason.ENDPOINT_NOT_ALLOWED),
    (
        "B110: the same with the pod's identity",
        {"endpoint": "http://kms.internal"},
        None,
        ProviderRules(allow_custom_endpoints=True),
        Reason.ENDPOINT_NOT_ALLOWED,
    ),
    (
        "B111: where credentials are served",
        SECRET | {"endpoint": "http://169.254.169.254"},
        GOOD,
        ProviderRules(allow_custom_endpoints=True),
        Reason.ENDPOINT_NOT_ALLOWED,
    ),
    (
        "B115: a role of another partition",
        {"roleARN": ROLE.replace("aws", "aws-cn", 1)},
        None,
        ProviderRules(),
        Reason.INVALID_ROLE_ARN,
    ),
    ("B116: no credentials, and the pod's are not to be had", {}, None, STRICT, Reason.AMBIENT_CREDENTIALS_NOT_ALLOWED),
    ("B117: no Secret", SECRET, None, ProviderRules(), Reason.CREDENTIALS_INVALID),
    ("B118: a Secret without a key", SECRET, {"AWS_ACCESS_KEY_ID": b"AKIDEXAMPLE"}, ProviderRules(), Reason.CREDENTIALS_INVALID),
    ("B120: not UTF-8", SECRET, GOOD | {"AWS_SECRET_ACCESS_KEY": b"canary\xff"}, ProviderRules(), Reason.CREDENTIALS_INVALID),
    ("B120: empty", SECRET, GOOD | {"AWS_SECRET_ACCESS_KEY": b" \n"}, ProviderRules(), Reason.CREDENTIALS_INVALID),
]


def provider(spec: Spec) -> KubeObject:
    """A provider of the namespace shop."""
    return decode_object(json.dumps(kubernetes("AWSProvider", "main", HERE | spec)).encode())


def cluster(data: dict[str, bytes] | None) -> SmallCluster:
    """A cluster with that Secret."""
    made = SmallCluster()
    if data is not None:
        encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
        made.objects[SECRETS.path("shop", "aws")] = {"data": encoded}
    return made


@pytest.mark.parametrize(("spec", "data", "rules", "reason"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
async def test_a_provider_that_cannot_be_used_is_told_without_a_call_and_a_good_one_is_enough(
    spec: Spec, data: dict[str, bytes] | None, rules: ProviderRules, reason: Reason
) -> None:
    account, around = SmallAws(), cluster(data)
    async with looking(around, account) as clouds:
        assert clouds.kube is not None
        access = ProviderAccess(clouds.kube, clouds.clients, rules)
        refused = await access.connect(provider(spec))
        assert isinstance(refused, Unobservable)
        assert refused.reason == reason
        assert "canary" not in refused.message
        assert account.opened == []
        around.objects.update(cluster(GOOD).objects)
        access.doubt(provider(spec).ref)
        assert isinstance(await access.connect(provider(SECRET)), Connection)


async def test_b119_a_newline_at_the_end_of_a_value_does_no_harm() -> None:
    async with looking(cluster({name: value + b"\n" for name, value in GOOD.items()}), SmallAws()) as clouds:
        assert clouds.kube is not None
        assert isinstance(
            await ProviderAccess(clouds.kube, clouds.clients, ProviderRules()).connect(provider(SECRET)), Connection
        )


async def test_b121_no_secret_of_another_namespace_is_read() -> None:
    """There is no field for it; an older CRD may have let one pass."""
    around = cluster(GOOD)
    async with looking(around, SmallAws()) as clouds:
        assert clouds.kube is not None
        spec = {"credentialsSecret": {"name": "aws", "namespace": "vault"}}
        await ProviderAccess(clouds.kube, clouds.clients, ProviderRules()).connect(provider(spec))
    assert around.read == [SECRETS.path("shop", "aws")]


def test_b124_the_finalizers_of_others_stay() -> None:
    others = kubernetes("KMSKey", "orders", {}, finalizers=["a/a", KMSKEY_FINALIZER, "b/b"])
    obj = decode_object(json.dumps(others).encode())
    assert [operation["path"] for operation in remove_finalizer(obj, KMSKEY_FINALIZER) if operation["op"] == "remove"] == [
        "/metadata/finalizers/1"
    ]
