"""What every pass over a KMSKey works with."""

from dataclasses import dataclass

from aws.sight import Sight
from controller.claims import AliasClaims
from controller.events import EventRecorder
from controller.key_memory import KeyMemory
from controller.kube import Kube
from controller.own_writes import OwnWrites
from controller.provider_ways import ProviderWays
from reconcilers.states import Operator


@dataclass(frozen=True, slots=True)
class Means:
    """One for the process."""

    kube: Kube
    ways: ProviderWays
    events: EventRecorder
    operator: Operator
    own: OwnWrites
    memory: KeyMemory
    sight: Sight
    claims: AliasClaims
