import pytest
from pydantic import ValidationError

from reconcilers.key_spec import KMSKeySpec
from reconcilers.provider_fields import AWSProviderSpec
from reconcilers.replica_fields import MAX_REPLICAS, REPLICA_RULES, ReplicaSpec, replicas_field


def test_replicas_are_a_list_with_one_entry_for_each_region() -> None:
    shape = KMSKeySpec.model_json_schema()["properties"]["replicas"]
    assert (shape["x-kubernetes-list-type"], shape["x-kubernetes-list-map-keys"]) == ("map", ["region"])
    assert replicas_field("x").description == "x"


@pytest.mark.parametrize("region", ["", "EU-WEST-1", "eu-west", "eu west 1", "eu-west-1 "])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(ValidationError):
        ReplicaSpec(region=region)
    with pytest.raises(ValidationError):
        AWSProviderSpec(region="us-east-1", default_replica_regions=(region,))


def test_the_number_of_replicas_and_the_length_of_their_policies_are_bounded() -> None:
    with pytest.raises(ValidationError):
        KMSKeySpec(replicas=tuple(ReplicaSpec(region=f"eu-west-{number}") for number in range(MAX_REPLICAS + 1)))
    with pytest.raises(ValidationError):
        ReplicaSpec(region="eu-west-1", key_policy="x" * 32769)


def test_the_server_refuses_replicas_of_a_key_of_one_region() -> None:
    assert set(map(str, REPLICA_RULES)) <= set(map(str, KMSKeySpec.cel))
