"""One pass over one KMSKey: observe, plan, apply, report. All decisions are in reconcilers/; here they are carried out, in a safe order.

1. A key that was made, and whose id is not stored yet, is stored before anything else (own_key.py).
2. What needs neither provider nor AWS comes next: a held object, one that is retained and deleted.
3. Reach the provider, and observe the object's key and its exports (key_view.py).
4. Plan, apply the actions (key_actions.py), and plan again from what they have changed, until no action is left.
5. Report the status, if it differs.

A call that fails ends the pass, and is reported on the object. Where the user has changed the object meanwhile, the rest is the next pass's
(own_object.py).
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from aws.errands import QuotaWaitError
from aws.errors import AWSError, FencedError
from aws.quotas import waiting_as
from controller.key_actions import KeyActions
from controller.key_means import Means
from controller.key_view import KeyView
from controller.objects import KubeObject
from controller.own_key import OwnKey
from controller.quota_waits import is_told
from controller.workers import AT_ONCE
from reconcilers.codes import AUTHENTICATION_CODES
from reconcilers.failures import plan_after
from reconcilers.hints import hint_due
from reconcilers.holds import plan_held
from reconcilers.kmskey import plan_unasked, plan_unseen
from reconcilers.names import KEY_ID_ANNOTATION
from reconcilers.quota_waits import waits_for_quota
from reconcilers.replica_fields import MAX_REPLICAS
from reconcilers.states import Failure, FailureKind, KeyObject, Problem
from reconcilers.urgency import of_writes, urgency

# Record, cancel the deletion, claim, enable, rotate, and once more to see that nothing is left: no path needs more plans, but for the
# replicas: one for each that is made, and as many for all together as for the key itself.
MAX_ROUNDS = 8 + 6 + MAX_REPLICAS

log = structlog.get_logger()


class KeyPass:
    """Over `own`, whose provider is this, or what keeps it from having one."""

    def __init__(self, means: Means, own: OwnKey, provider: KubeObject | Problem, now: datetime) -> None:
        self.own = own
        self.urgency = urgency(own.key, made=own.key.status.key_id is not None)
        self._means = means
        self._now = now
        self._view = KeyView(means, own, provider, now)
        self._actions = KeyActions(means, own, self._view, now)

    async def run(self) -> timedelta | None:
        """The whole pass; when to look again, None for the resync. Raises AWSError, FencedError, KubeError: the backoff is the right wait.

        Raises QuotaWaitError where it is not the object's turn yet; nothing was done then that the next pass has to do again.
        """
        try:
            with waiting_as(self.urgency):
                return await self._carry_out()
        except FencedError as error:
            if self._actions.sending is not None:  # nothing was sent, and that is known
                await self._after(Failure(FailureKind.RETRY, self._actions.sending, "Fenced", str(error)))
            raise
        except QuotaWaitError as wait:
            if is_told(wait, self.urgency):
                await self.own.report(waits_for_quota(self.own.key, wait.operation, self._means.operator, self._now))
            raise
        except AWSError as error:
            look_again = await self._after(error.failure)
            if look_again is None:
                raise
            return look_again
        finally:
            self.own.notes.close(self.own.key.status.key_id)

    async def _carry_out(self) -> timedelta | None:
        operator = self._means.operator
        await self.own.store_made(self._now)
        begun = self.own.key
        if begun.plan_only and plan_held(begun, operator, self._now) is None:
            await self.own.report(await self._view.foretell())
            return None
        early = plan_unasked(begun, operator, self._now)
        if early is not None:
            return await self._actions.apply_all(early)
        await self._view.reach()
        early = plan_unseen(begun, self._view.account, operator, self._now)
        if early is not None:
            return await self._actions.apply_all(early)
        await self._view.observe()
        return await self._plan_and_apply(begun)

    async def _plan_and_apply(self, begun: KeyObject) -> timedelta | None:
        """Until no action is left."""
        for _ in range(MAX_ROUNDS):
            await self._view.read_public_key()
            plan = self._view.plan()
            with waiting_as(of_writes(self.urgency)):
                look_again = await self._actions.apply_all(plan)
            if not plan.actions or plan.is_last:
                await self._note_key_id(begun)
                return look_again
            if self.own.is_outdated:
                return AT_ONCE
        raise RuntimeError(f"the plan does not come to an end: {[action.told for action in plan.actions]}")

    async def _note_key_id(self, begun: KeyObject) -> None:
        """For a backup without statuses."""
        key_id = self.own.key.status.key_id
        if key_id is not None and hint_due(begun, self._view.seen, self._means.operator.cluster_id):
            await self.own.annotate(KEY_ID_ANNOTATION, key_id)

    async def _after(self, failure: Failure) -> timedelta | None:
        """Report a failed call; when to look again, None where the queue's backoff is the right wait."""
        refused = failure.code in AUTHENTICATION_CODES
        if refused and self._view.reached is not None:
            self._means.ways.distrust(self._view.reached.provider)
        if self._actions.sending is not None and failure.kind is not FailureKind.UNKNOWN_RESULT:
            failure = replace(failure, operation=self._actions.sending)  # also where it was the role for it that could not be had
        elif refused:
            return None  # the next pass asks who we are, and knows what to report
        plan = plan_after(failure, self._view.as_planned_last(), self._means.operator, self._now)
        await self.own.report(plan.status)
        if refused:
            return None
        if plan.look_again is not None:
            log.warning(
                "aws_refused",
                operation=failure.operation,
                code=failure.code,
                request_id=failure.request_id,
                error=failure.message,
            )
        return plan.look_again
