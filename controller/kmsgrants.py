"""KMSGrants: the calls that one takes."""

from datetime import datetime

from aws import kms
from aws.clients import Connection
from aws.targets import look_at_grants
from controller.dependent_pass import Craft
from controller.objects import Resource
from controller.store import Store
from reconcilers.actions import CreateGrant, DependentChange, RevokeGrant
from reconcilers.kmsgrant import GrantObject, GrantPlan, GrantSight, after_grant, keys_of, plan_kmsgrant
from reconcilers.kmsgrant_fields import KMSGrantSpec, KMSGrantStatus
from reconcilers.names import GROUP, KMSGRANT_FINALIZER, VERSION
from reconcilers.states import Operator
from reconcilers.targets import Way

KMSGRANTS = Resource(GROUP, VERSION, "kmsgrants", "KMSGrant")


class GrantCraft(Craft[KMSGrantSpec, KMSGrantStatus, GrantSight]):
    """A grant needs to know of no other object."""

    resource = KMSGRANTS
    finalizer = KMSGRANT_FINALIZER
    spec = KMSGrantSpec
    status = KMSGrantStatus

    def __init__(self, operator: Operator) -> None:
        self.store = Store()
        self._operator = operator

    def has_made(self, status: KMSGrantStatus) -> bool:
        """It has made grants, or was about to."""
        return bool(status.grants)

    async def observe(self, connection: Connection, obj: GrantObject, way: Way) -> GrantSight:
        """The target, and the keys of earlier targets. Raises AWSError."""
        return await look_at_grants(connection, way.target.key or None, keys_of(obj.status))

    def plan(self, obj: GrantObject, way: Way, seen: GrantSight, now: datetime) -> GrantPlan:
        """Pure."""
        return plan_kmsgrant(obj, way, seen, self._operator, now)

    async def apply(self, connection: Connection, action: DependentChange, seen: GrantSight) -> GrantSight:
        """Raises AWSError and FencedError."""
        assert isinstance(action, CreateGrant | RevokeGrant)  # no plan for a grant does anything else
        return after_grant(seen, action, await kms.apply(connection, action))
