"""Who held the lease, by the API server, whenever a write to AWS set out or was done."""

from collections.abc import Iterable

from aws.channels import CALL_SECONDS
from controller.leases import LEASE_NAME
from tests.simulation import aws_wires
from tests.simulation.calls import Call
from tests.simulation.world import World

DURATION = 15.0
# A write may be answered so long after it was sent; until then nobody else may lead.
LONGEST_AGE = DURATION - min(CALL_SECONDS, DURATION / 2) + aws_wires.LATENCY


def only_the_holder_wrote(world: World, sent: Iterable[Call] = ()) -> None:
    """sent: calls that set out, whether they arrived or not. Raises AssertionError."""
    done = [(call, call.at) for call in world.traffic.calls if call.target == "aws" and call.writes]
    assert done
    for call, moment in [*done, *((call, call.sent) for call in sent)]:
        holder, age = _holder_at(world, moment)
        assert holder == call.replica, f"{call}, at {moment:.3f}, and the lease was {holder}'s"
        assert age <= LONGEST_AGE, f"{call}, {age:.1f} s after the last renewal"


def _holder_at(world: World, at: float) -> tuple[str, float]:
    """Whose the lease was then, and since when it had not been renewed."""
    renewals = [e for e in world.etcd.log if e.plural == "leases" and e.ref.name == LEASE_NAME and e.at <= at]
    if not renewals:
        return "", 0.0
    return str(renewals[-1].body["spec"].get("holderIdentity", "")), at - renewals[-1].at
