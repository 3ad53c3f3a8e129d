"""What AWS says when it refuses is what the operator reads, with the cure that fits it."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import living, zombie

SCP = (
    "User: arn:aws:sts::123456789012:assumed-role/reaper/i is not authorized to perform:"
    " execute-api:ManageConnections on resource: arn:aws:execute-api:us-east-1:123456789012:a/prod/"
    "GET/@connections/secret-id-1 with an explicit deny in a service control policy"
)
EXPIRED = "The security token included in the request is expired"
PAGE = b"<html>" + b"Your IP 203.0.113.7 token=SECRETKEY " * 600
STS_EXPIRED = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>"
    f"<Message>{EXPIRED}</Message></Error></ErrorResponse>"
).encode()
WAF = b"<html><head><title>403 Forbidden</title></head><body><h1>Request blocked</h1></body></html>"


def refuses(message: str, error_type: str, status: int = 403):
    return faults.answers(status, {"message": message}, error_type)


def html(handler) -> None:
    """As a firewall or a CDN before a custom domain answers."""
    handler.send_response(403)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", str(len(WAF)))
    handler.end_headers()
    handler.wfile.write(WAF)


@pytest.mark.parametrize(
    ("behaviour", "kind", "why", "cure"),
    [
        (
            refuses(SCP, "AccessDeniedException"),
            "access-denied",
            "explicit deny in a service control policy",
            "administers the Organization",
        ),
        (
            refuses(EXPIRED, "ExpiredTokenException"),
            "credentials",
            "the credentials are expired",
            "renew them",
        ),
        (
            refuses("Forbidden", "ForbiddenException"),
            "access-denied",
            "which AWS does not explain",
            "correct the stage and path in REAPER_API_ENDPOINT",
        ),
        (html, "sweep-failed", '403 with a page in HTML ("403 Forbidden")', "the firewall (WAF)"),
        (
            refuses(EXPIRED, "ExpiredTokenException", 400),
            "credentials",
            "the credentials are expired",
            "renew them",
        ),
        (
            faults.answers(503, b""),
            "sweep-failed",
            "mostly: 503",
            "wait: it is the gateway's own trouble",
        ),
    ],
)
def test_what_the_gateway_says_is_in_the_alert(cloud, behaviour, kind, why, cure):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"secret-id-{n}") for n in range(5)))
    with FaultyGateway(default=behaviour) as server:
        environment = cloud.environment(table, server.url, REAPER_HEARTBEAT_MODE="off")
        done = cloud.reaper("sweep", "--json", environment=environment)

    (alert,) = [line for line in done.log if line["event"] == "alert"]
    assert alert["kind"] == kind
    assert why in alert["why"]
    assert cure in alert["cure"]
    assert "secret-id" not in alert["why"]
    assert len(cloud.rows(table)) == 5


def test_expired_credentials_are_told_by_check_instead_of_statements(cloud):
    with FaultyGateway(default=faults.answers(403, STS_EXPIRED)) as server:
        sts = f"http://127.0.0.1:{server.port}"
        environment = cloud.environment("t", "https://a.invalid/p", AWS_ENDPOINT_URL_STS=sts)
        done = cloud.reaper("check", environment=environment)

    assert done.code == 1
    (fault,) = [line for line in done.stdout.splitlines() if line.startswith("✗")]
    assert "sts:GetCallerIdentity failed: the credentials are expired" in fault
    assert "renew them" in fault
    assert "Effect" not in done.stdout


def test_an_sts_whose_answer_is_not_its_own_is_no_fault(cloud, lone_api):
    """A proxy in between answers in its own way; that was a traceback."""
    table = cloud.make_table(("connectionId", "S"))
    with FaultyGateway(default=faults.answers(503, {"oops": 1})) as server:
        sts = f"http://127.0.0.1:{server.port}"
        environment = cloud.environment(table, lone_api, AWS_ENDPOINT_URL_STS=sts)
        done = cloud.reaper("check", environment=environment)

    assert "failed: its answer is not AWS's own" in done.stdout


def test_an_sts_that_cannot_be_reached_is_no_fault(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *living())
    environment = cloud.environment(table, lone_api, AWS_ENDPOINT_URL_STS="http://127.0.0.1:9")
    done = cloud.reaper("check", environment=environment)

    assert "✓ credentials are found; STS does not say whose they are" in done.stdout


def test_a_table_may_be_named_by_its_arn(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    arn = cloud.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    done = cloud.reaper("sweep", "--json", environment=cloud.environment(arn, lone_api))
    assert (done.code, done.report["scanned"]) == (0, 0)
    assert (
        f"table/{table}"
        in cloud.reaper("policy", environment=cloud.environment(arn, lone_api)).stdout
    )

    elsewhere = arn.replace("us-east-1", "eu-west-1")
    refused = cloud.reaper("sweep", environment=cloud.environment(elsewhere, lone_api))
    assert refused.code == 2
    assert "REAPER_TABLE_NAME is in Region eu-west-1, and AWS_REGION is us-east-1" in refused.stderr

    account = arn.split(":")[4]
    others = arn.replace(account, "999999999999")
    refused = cloud.reaper("sweep", environment=cloud.environment(others, lone_api))
    assert refused.code == 1
    assert f"these credentials reach the table {arn}" in refused.stderr


def test_a_queue_is_no_table(cloud, lone_api):
    environment = cloud.environment("arn:aws:sqs:us-east-1:1:q", lone_api)
    refused = cloud.reaper("sweep", environment=environment)
    assert refused.code == 2
    assert "REAPER_TABLE_NAME must be a table's name or its ARN" in refused.stderr


@pytest.mark.parametrize(
    "answer",
    [faults.answers(403, PAGE), faults.answers(200, PAGE), faults.answers(200, {"Table": {}})],
)
def test_a_table_api_that_is_not_dynamodb_is_told_and_not_quoted(cloud, answer):
    """A captive proxy's page may hold anything, at any length."""
    with FaultyGateway(default=answer) as server:
        elsewhere = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{server.port}"}
        environment = cloud.environment("t", "https://a.invalid/p") | elsewhere
        done = cloud.reaper("sweep", "--json", environment=environment)

    assert done.code == 1
    assert "its answer is not AWS's own: is there a proxy or a firewall in between?" in done.stderr
    assert "SECRET" not in done.stderr
    assert len(done.stderr) < 5000


def test_a_clock_that_is_wrong_is_told_with_by_how_much(cloud):
    body = {"__type": "x#InvalidSignatureException", "message": "Signature expired: then and now"}

    def late(handler) -> None:
        handler.date_time_string = lambda timestamp=None: formatdate(time.time() + 900, usegmt=True)
        faults.answers(400, body)(handler)

    with FaultyGateway(default=late) as server:
        elsewhere = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{server.port}"}
        environment = cloud.environment("t", "https://a.invalid/p") | elsewhere
        done = cloud.reaper("sweep", environment=environment)

    assert "this host's clock is wrong" in done.stderr
    assert "s behind AWS's" in done.stderr
