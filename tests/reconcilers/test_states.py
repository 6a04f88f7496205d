from dataclasses import replace

import pytest

from tests.reconcilers.builders import arn, observed


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_key_knows_its_partition(partition: str) -> None:
    assert replace(observed(), arn=arn().replace("arn:aws:", f"arn:{partition}:")).partition == partition
