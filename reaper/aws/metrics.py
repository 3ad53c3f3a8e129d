"""Whether metrics may be put to CloudWatch. Putting them is the sink's own business."""

from __future__ import annotations

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from reaper.aws.errors import AccessDenied, error_response, is_denied
from reaper.aws.session import API_CONFIG


class MetricsUnsent(Exception):
    """CloudWatch does not answer. The message says why."""


def try_put_metrics(session: boto3.Session, region: str, namespace: str) -> None:
    """Put no metric at all: it is refused for want of a permission before it is found empty.

    Raises AccessDenied or MetricsUnsent.
    """
    client = session.client("cloudwatch", region_name=region, config=API_CONFIG)
    try:
        client.put_metric_data(Namespace=namespace, MetricData=[])
    except ClientError as error:
        if is_denied(error):
            raise AccessDenied("cloudwatch:PutMetricData is not granted") from None
        code = str(error_response(error).get("Code"))
        if "Parameter" not in code and "Validation" not in code:
            raise MetricsUnsent(f"CloudWatch PutMetricData failed: {error}") from None
    except BotoCoreError as error:
        raise MetricsUnsent(f"CloudWatch PutMetricData failed: {error}") from None
