"""The objects of the benchmark: a provider in each of ten regions, and keys like those that people write.

Ten regions, because the operator keeps to KMS's quotas, five CreateKey a second in each: what it costs to make a key is measured with
nothing to wait for, and with no switch that only a benchmark would use.
"""

from typing import Any

from reconcilers.names import API_VERSION

REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1"),
    *("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1"),
)
# Ten more, in which a thousand keys do not wait for quotas for longer than they take to make.
ALL_REGIONS = (
    *REGIONS,
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2"),
    *("ap-southeast-1", "ap-southeast-2", "eu-central-2", "eu-south-1", "sa-east-1"),
)
BATCH_LABEL = "batch"
CREATED = "2026-01-01T00:00:00Z"
# The account's administrators and one service: a policy of 0.4 KB, as most are.
POLICY = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Administration",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::${AWS_ACCOUNT_ID}:root"},
      "Action": "kms:*",
      "Resource": "*"
    },
    {
      "Sid": "Service",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::${AWS_ACCOUNT_ID}:role/service"},
      "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
      "Resource": "*"
    }
  ]
}
"""


def provider(namespace: str, region: str) -> dict[str, Any]:
    """An AWSProvider with the region's name; its credentials are the operator's own."""
    return _object("AWSProvider", namespace, region, {}, {"region": region})


def key(namespace: str, batch: str, number: int, regions: tuple[str, ...]) -> dict[str, Any]:
    """A KMSKey with rotation, a policy and three tags; the regions take turns."""
    spec = {
        "providerRef": {"name": regions[number % len(regions)]},
        "description": f"Key {number} of {batch}",
        "enableKeyRotation": True,
        "keyPolicy": POLICY,
        "tags": {"team": "platform", "environment": "bench", "cost-center": "4711"},
    }
    return _object("KMSKey", namespace, f"{batch}-{number:04}", {BATCH_LABEL: batch}, spec)


def made_status(number: int, uid: str) -> dict[str, Any]:
    """The status of such a key when it was made and is as declared; to be merged into the object's."""
    key_id = f"00000000-0000-4000-8000-{number:012}"
    region = REGIONS[number % len(REGIONS)]
    told = {
        "Ready": ("True", "Available", "The key is as declared and can be used."),
        "Synced": ("True", "InSync", "Nothing is left to do."),
        "Reconciling": ("False", "Settled", "Nothing is left to do."),
    }
    return {
        "keyId": key_id,
        "arn": f"arn:aws:kms:{region}:123456789012:key/{key_id}",
        "accountID": "123456789012",
        "region": region,
        "keyState": "Enabled",
        "observedGeneration": 1,
        "creationAttempt": {"id": f"{uid}.1", "time": CREATED, "count": 1},
        "rotationEnabled": True,
        "managedTagKeys": ["cost-center", "environment", "team"],
        "conditions": [
            {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1, "lastTransitionTime": CREATED}
            for kind, (status, reason, message) in told.items()
        ],
    }


def _object(kind: str, namespace: str, name: str, labels: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
