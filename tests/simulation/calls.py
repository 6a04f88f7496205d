"""One request of a replica, as logs, faults and watchers of the traffic know it."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

Target = Literal["aws", "kube"]
# When the pass began that runs now, where somebody takes note of that (passes.py).
PASS_BEGAN: ContextVar[float | None] = ContextVar("pass_began", default=None)


@dataclass
class Call:
    """`name` is an operation of AWS's, or a verb and a resource; `subject` is the key or the object. outcome "": never executed.

    sent: when it left the process; at: when it was executed; began: when the pass did that made it. All in seconds since the beginning.
    wrote: the revision of the API server's that it made; 0: none.
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
    told: Mapping[str, Any] = field(default_factory=dict)  # by AWS, in its answer
    parameters: Mapping[str, Any] = field(default_factory=dict)
    began: float | None = field(default_factory=PASS_BEGAN.get)
    wrote: int = 0

    def __str__(self) -> str:
        return f"{self.at:9.3f} {self.replica} {self.name} {self.subject} -> {self.outcome}"
