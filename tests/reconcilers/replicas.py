"""Keys with replicas, what is remembered of them, and the plan for them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from reconcilers.arns import in_region
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import CreationAttempt, ReplicaStatus
from reconcilers.names import CLUSTER_TAG, UID_TAG
from reconcilers.reasons import Reason
from reconcilers.replica_fields import ReplicaSpec
from reconcilers.replica_regions import Scene
from reconcilers.replicas import ReplicasPlan, plan_replicas
from reconcilers.states import Failure, FailureKind, ObservedKey, Unobservable
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import LONG_AGO, NOW, OWNER_TAGS, account, arn, key, observed, operator, remembered

EU, ASIA = "eu-west-1", "ap-south-1"
THERE = in_region(arn(), EU)
SPEC = KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region=EU),))
ANOTHER = {CLUSTER_TAG: "x", UID_TAG: "y"}
BEFORE = {**OWNER_TAGS, UID_TAG: "of an earlier object"}


def primary(state: str = "Enabled", **replicas: Any) -> ObservedKey:
    return replace(observed(state), multi_region=True, multi_region_key_type="PRIMARY", replicas=by_region(replicas))


def by_region(named: dict[str, Any]) -> dict[str, Any]:
    return {{"eu": EU, "asia": ASIA}[name]: there for name, there in named.items()}


def replica(state: str = "Enabled", region: str = EU, **fields: Any) -> ObservedKey:
    seen = replace(observed(state, rotation=None), arn=in_region(arn(), region), region=region, multi_region_key_type="REPLICA")
    return replace(seen, **fields)


def record(**fields: Any) -> ReplicaStatus:
    return ReplicaStatus(region=EU, **fields)


def attempt(age: timedelta) -> CreationAttempt:
    return CreationAttempt(id="u.1", time=NOW - age, count=1)


def plan(seen: ObservedKey, spec: KMSKeySpec = SPEC, *records: ReplicaStatus) -> ReplicasPlan:
    wish = key(spec, remembered().model_copy(update={"replicas": records}))
    return plan_replicas(Scene(wish, wanted_key(wish, account(), operator()), seen, operator(), NOW), is_ours=True)


def failure(kind: FailureKind, operation: str, code: str = "Some") -> Unobservable:
    return Unobservable(Reason.AWS_UNAVAILABLE, "no", Failure(kind, operation, code, "no"))


KEPT = record(managed=True, creation_date=LONG_AGO)
