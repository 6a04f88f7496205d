from reconcilers.arns import in_region, region_of

ARN = "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1"


def test_a_key_s_arn_tells_its_region() -> None:
    assert region_of(ARN) == "cn-north-1"


def test_a_replica_s_arn_differs_in_the_region_only() -> None:
    assert in_region(ARN, "cn-northwest-1") == "arn:aws-cn:kms:cn-northwest-1:123456789012:key/mrk-1"
