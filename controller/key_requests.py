"""What a person asks of the operator by writing into a KMSKey: another rotation, another look. And how it is seen that this was done.

Rules:
1. What is asked is named by the moment: two requests are never one, and the same one is never carried out twice.
2. An answer is the operator's: the status repeats what was asked. That the API server took the object proves nothing.
3. A wait has an end, and says how the object was then.
4. No rotation is asked for before there is a key: a token that is there when the key is made counts as carried out.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from controller.key_objects import KMSKEYS
from controller.kube import Kube
from controller.objects import Ref, decode_object
from reconcilers.names import RECONCILE_ANNOTATION

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. answered_by: the field of the status that will hold the token."""

    ref: Ref
    token: str
    answered_by: str


class UnansweredError(Exception):
    """The operator did not answer in time, or could not; the message says what the status holds."""


async def ask_rotation(kube: Kube, ref: Ref, now: datetime) -> Asked:
    """Raises KubeError, and UnansweredError where there is no key yet."""
    status = await _status(kube, ref)
    if "keyId" not in status:
        raise UnansweredError(f"it has no key yet that could be rotated. {_told(status)}")
    token = _token(now)
    await kube.merge_patch(KMSKEYS.path(*ref), {"spec": {"rotateOnDemand": token}})
    return Asked(ref, token, "lastHandledRotateOnDemand")


async def ask_look(kube: Kube, ref: Ref, now: datetime) -> Asked:
    """Raises KubeError."""
    token = _token(now)
    await kube.merge_patch(KMSKEYS.path(*ref), {"metadata": {"annotations": {RECONCILE_ANNOTATION: token}}})
    return Asked(ref, token, "lastHandledReconcileAt")


async def answer(kube: Kube, asked: Asked, seconds: float) -> str:
    """How the object is once the request is answered, in words. Raises KubeError, and UnansweredError at the end of its patience."""
    status: dict[str, Any] = {}
    try:
        async with asyncio.timeout(seconds):
            while True:
                status = await _status(kube, asked.ref)
                if status.get(asked.answered_by) == asked.token:
                    return _told(status)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise UnansweredError(f"no answer within {seconds:g} s. {_told(status)}") from None


async def _status(kube: Kube, ref: Ref) -> dict[str, Any]:
    status: dict[str, Any] = msgspec.json.decode(decode_object(await kube.get(KMSKEYS.path(*ref))).status)
    return status


def _token(now: datetime) -> str:
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _told(status: dict[str, Any]) -> str:
    """The conditions in a line."""
    found = [one for one in status.get("conditions", ()) if one["type"] in {"Ready", "Synced"}]
    return "; ".join(f"{one['type']}={one['status']} {one['reason']}: {one['message']}" for one in found) or "It has no conditions yet."
