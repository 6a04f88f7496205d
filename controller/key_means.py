"""What every pass over a KMSKey works with."""

from dataclasses import dataclass

from aws.sight import Sight
from controller.awsproviders import AWSProviders
from controller.claims import AliasClaims
from controller.events import EventRecorder
from controller.key_memory import KeyMemory
from controller.kube import Kube
from controller.own_writes import OwnWrites
from controller.partition import Others
from reconcilers.states import Operator


@dataclass(frozen=True, slots=True)
class Means:
    """One for the process."""

    kube: Kube
    providers: AWSProviders
    events: EventRecorder
    operator: Operator
    own: OwnWrites
    memory: KeyMemory
    sight: Sight
    claims: AliasClaims
    others: Others
