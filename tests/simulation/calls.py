"""One request of a replica, as logs, faults and watchers of the traffic know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Target = Literal["aws", "kube"]


@dataclass
class Call:
    """`name` is an operation of AWS's, or a verb and a resource; `subject` is the key or the object. outcome "": never executed.

    sent: when it left the process; at: when it was executed. Both in seconds since the beginning.
    """

    replica: str
    target: Target
    name: str
    subject: str
    writes: bool
    at: float = 0.0
    sent: float = 0.0
    outcome: str = ""
    region: str = ""  # of AWS
    account: str = ""  # of AWS: whose credentials were used
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.at:9.3f} {self.replica} {self.name} {self.subject} -> {self.outcome}"
