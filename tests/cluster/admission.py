"""What the API server makes of a spec, asked by a dry run: nothing is stored, no operator is needed.

The JSON goes as it is, without kubectl, which would drop nulls.
"""

from typing import Any

from reconcilers.names import API_VERSION
from tests.cluster.cluster import Cluster

ABSENT = "absent"  # in the place of a spec: there is none


def stored(cluster: Cluster, kind: str, spec: Any, validation: str = "Strict") -> Any:
    """The spec as the server would store it. Raises RefusedError with the refusal."""
    path = f"/apis/{API_VERSION}/namespaces/default/{kind.lower()}s?dryRun=All&fieldValidation={validation}"
    whole = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "probe"}, "spec": spec}
    return cluster.api.post(path, {name: value for name, value in whole.items() if value != ABSENT})["spec"]
