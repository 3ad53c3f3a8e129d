"""AWS's partitions: which Regions are in each, and under which domain its services answer.

As botocore knows them (``partitions.json``); a test holds this list equal to it.
"""

from __future__ import annotations

from typing import NamedTuple


class Partition(NamedTuple):
    name: str
    """As it stands in an ARN."""
    region_prefix: str
    domain: str
    dual_stack_domain: str


AWS = Partition("aws", "", "amazonaws.com", "api.aws")

PARTITIONS = (
    Partition("aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    Partition("aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    Partition("aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    Partition("aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    Partition("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    Partition("aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    Partition("aws-us-gov", "us-gov-", "amazonaws.com", "api.aws"),
    AWS,
)
"""The one for all other Regions is the last."""


def partition_of(region: str) -> Partition:
    return next(one for one in PARTITIONS if region.startswith(one.region_prefix))
