"""What hooks have in common: ARNs in each of AWS's partitions."""

from __future__ import annotations

import pytest

from reaper.aws.hook import region_of_arn
from reaper.core.iam import arn_of_named, connections_arn
from reaper.core.model import Ask
from reaper.core.rows.endpoint import parse_endpoint


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_an_arn_is_of_the_partition_of_its_region(region, partition):
    assert arn_of_named("f", "lambda", region, "function:f") == (
        f"arn:{partition}:lambda:{region}:*:function:f"
    )


def test_an_arn_stays_as_it_was_given():
    given = "arn:aws-cn:lambda:cn-north-1:1:function:f"
    assert arn_of_named(given, "lambda", "eu-west-1", "anything") == given
    assert region_of_arn(given) == "cn-north-1"
    assert region_of_arn("f") is None


def test_connections_in_china_are_granted_in_china():
    endpoint = parse_endpoint("https://abc123.execute-api.cn-north-1.amazonaws.com.cn/prod", None)
    assert connections_arn(endpoint, Ask.CHECK) == (
        "arn:aws-cn:execute-api:cn-north-1:*:abc123/prod/GET/@connections/*"
    )
