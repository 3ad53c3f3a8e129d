"""Bad input: a message that names the variable and the cure, never a traceback, nothing lost."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support import faulty_gateway as faults
from tests.support.faulty_gateway import FaultyGateway
from tests.support.rows import zombie
from tests.support.waiting import eventually


def lines_about(done, variable: str) -> str:
    return "\n".join(line for line in done.stderr.splitlines() if variable in line)


def test_every_fault_is_told_at_once(cloud):
    environment = cloud.environment(
        "",
        "https://abc.execute-api.eu-west-1.amazonaws.com",
        REAPER_SWEEP_INTERVAL_SECONDS="soon",
        REAPER_HEARTBEAT_MODE="sometimes",
        REAPER_HEARTBEAT_INTERVAL_SECONDS="700",
        REAPER_QUOTA_SHARE="0",
        REAPER_DRY_RUN="perhaps",
        REAPER_ROW_FILTER="META",
        REAPER_CONNECTION_ID_PATTERN="(",
        REAPER_HTTP_BIND="9464",
        REAPER_LAST_SEEN_ATTRIBUTE="a..b",
        REAPER_HEARTBEAT_PAYLOAD="x" * 40_000,
        REAPER_EVICT_ACTION="hook",
        REAPER_MAX_CONNECTION_AGE_SECONDS="3600",
        REAPER_FRESH_SECONDS="1e18",
    )
    done = cloud.reaper("run", environment=environment)

    assert done.code == 2
    for variable, cure in {
        "REAPER_TABLE_NAME": "is required",
        "REAPER_API_ENDPOINT": "stage",
        "REAPER_SWEEP_INTERVAL_SECONDS": "a number of seconds",
        "REAPER_HEARTBEAT_MODE": "off, idle, always",
        "REAPER_HEARTBEAT_INTERVAL_SECONDS": "below 600",
        "REAPER_QUOTA_SHARE": "above 0",
        "REAPER_DRY_RUN": "true or false",
        "REAPER_ROW_FILTER": "attribute=regex",
        "REAPER_CONNECTION_ID_PATTERN": "regular expression",
        "REAPER_HTTP_BIND": "host:port",
        "REAPER_LAST_SEEN_ATTRIBUTE": "single dots",
        "REAPER_HEARTBEAT_PAYLOAD": "32768 bytes",
        "REAPER_EVICT_ACTION": "set REAPER_ON_EVICT_LAMBDA",
        "REAPER_MAX_CONNECTION_AGE_SECONDS": "at least 7200",
        "REAPER_FRESH_SECONDS": "from 0 to",
    }.items():
        assert cure in lines_about(done, variable), variable


def test_a_misspelt_name_is_told_beside_what_is_missing_because_of_it(cloud, lone_api):
    environment = cloud.environment("", lone_api, REAPER_TABEL_NAME="connections")
    done = cloud.reaper("sweep", environment=environment)

    assert done.code == 2
    assert "REAPER_TABLE_NAME is required" in done.stderr
    assert "did you mean REAPER_TABLE_NAME?" in done.stderr


def test_a_service_url_without_a_scheme_is_refused_by_name(cloud, lone_api):
    environment = cloud.environment("t", lone_api, AWS_ENDPOINT_URL_DYNAMODB="localhost:4566")
    done = cloud.reaper("check", environment=environment)

    assert done.code == 2
    assert "AWS_ENDPOINT_URL_DYNAMODB must be a URL" in done.stderr


def test_a_filter_that_no_row_passes_is_told(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"), zombie("b"))
    environment = cloud.environment(table, lone_api, REAPER_ROW_FILTER="sk=META")
    done = cloud.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["scanned"]) == (1, 0)
    assert "all 2 rows are of other kinds" in done.stderr
    assert "REAPER_ROW_FILTER: correct them" in done.stderr


def test_an_unknown_variable_is_warned_of_with_the_nearest_name(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, lone_api, REAPER_TABEL_INDEX="x")
    done = cloud.reaper("sweep", environment=environment)

    assert done.code == 0
    assert "did you mean REAPER_TABLE_INDEX?" in lines_about(done, "REAPER_TABEL_INDEX")


@pytest.mark.parametrize("command", ["sweep", "check"])
def test_a_table_that_does_not_exist_or_is_in_another_region(cloud, lone_api, command):
    table = cloud.make_table(("connectionId", "S"))
    missing = cloud.reaper(command, environment=cloud.environment("nowhere", lone_api))
    elsewhere = cloud.reaper(
        command, environment=cloud.environment(table, lone_api, AWS_REGION="eu-central-1")
    )

    for done, region in ((missing, "us-east-1"), (elsewhere, "eu-central-1")):
        said = done.stderr + done.stdout
        assert done.code == 1
        assert f"in Region {region}" in said
        assert "REAPER_TABLE_NAME" in said
        assert "AWS_REGION" in said


def test_an_index_that_does_not_exist(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, lone_api, REAPER_TABLE_INDEX="missing")
    done = cloud.reaper("sweep", environment=environment)

    assert done.code == 1
    assert "REAPER_TABLE_INDEX" in done.stderr


@pytest.mark.parametrize("command", ["sweep", "check"])
def test_an_index_that_hides_whose_a_row_is(cloud, lone_api, command):
    table = cloud.make_indexed_table({"ProjectionType": "KEYS_ONLY"})
    environment = cloud.environment(
        table,
        lone_api,
        REAPER_TABLE_INDEX="by-connection",
        REAPER_ENDPOINT_ATTRIBUTE="requestContext",
    )
    done = cloud.reaper(command, environment=environment)

    assert done.code == 1
    assert "does not hold requestContext" in done.stdout + done.stderr


def test_an_attribute_that_no_row_has(cloud, lone_api):
    table = cloud.make_table(("pk", "S"))
    cloud.put(table, {"pk": {"S": "a"}, "connId": {"S": "R0oXAdfD0kwCH6w="}})
    environment = cloud.environment(table, lone_api)
    swept = cloud.reaper("sweep", "--json", environment=environment)
    checked = cloud.reaper("check", environment=environment)

    assert swept.report["malformed"] == 1
    assert "REAPER_CONNECTION_ID_ATTRIBUTE" in swept.stderr
    assert checked.code == 1
    assert "set REAPER_CONNECTION_ID_ATTRIBUTE=connId" in checked.stdout


def test_no_credentials(cloud, lone_api):
    environment = cloud.environment("any", lone_api)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    done = cloud.reaper("sweep", environment=environment)

    assert done.code == 1
    assert "no AWS credentials" in done.stderr


def test_a_profile_that_does_not_exist(cloud, lone_api):
    environment = cloud.environment("any", lone_api, AWS_PROFILE="nobody")
    done = cloud.reaper("sweep", environment=environment)

    assert done.code == 1
    assert "nobody" in done.stderr


def test_no_region(cloud, lone_api):
    environment = cloud.environment("any", lone_api, HOME="/nonexistent")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        del environment[name]
    done = cloud.reaper("sweep", environment=environment)

    assert done.code == 2
    assert "AWS_REGION" in lines_about(done, "REAPER_API_ENDPOINT")


def test_an_endpoint_that_does_not_resolve_is_found_by_check(cloud):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, "https://nowhere.invalid/prod")
    done = cloud.reaper("check", environment=environment)

    assert done.code == 1
    assert "cannot resolve nowhere.invalid" in done.stdout
    assert "REAPER_API_ENDPOINT" in done.stdout


def test_a_table_api_that_cannot_be_reached(cloud, lone_api):
    environment = cloud.environment("any", lone_api, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    done = cloud.reaper("sweep", environment=environment)

    assert done.code == 1
    assert "127.0.0.1:9" in done.stderr


def test_an_audit_log_that_cannot_be_opened(cloud, lone_api):
    environment = cloud.environment("any", lone_api, REAPER_AUDIT_LOG="/nonexistent/audit.jsonl")
    done = cloud.reaper("sweep", environment=environment)

    assert done.code == 2
    assert "No such file" in lines_about(done, "REAPER_AUDIT_LOG")


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_trust_store_that_cannot_be_read(cloud, lone_api, tmp_path, content):
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    environment = cloud.environment("any", lone_api, AWS_CA_BUNDLE=str(bundle))
    done = cloud.reaper("check", environment=environment)

    assert done.code == 1
    assert "AWS_CA_BUNDLE" in done.stderr


def test_rows_that_carry_the_endpoint_still_need_a_region(cloud):
    environment = cloud.environment("any", "", REAPER_ENDPOINT_ATTRIBUTE="endpoint")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        del environment[name]
    done = cloud.reaper("check", environment=environment | {"HOME": "/nonexistent"})

    assert done.code == 2
    assert "is required" in lines_about(done, "AWS_REGION")


def test_a_terminal_that_knows_no_check_mark_gets_its_lines(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    environment = cloud.environment(table, lone_api, PYTHONIOENCODING="ascii")
    done = subprocess.run(
        [sys.executable, "-m", "reaper", "check"], env=environment, capture_output=True, timeout=60
    )

    assert done.returncode == 0
    assert b"? table" in done.stdout


def test_ctrl_c_ends_a_check(cloud):
    table = cloud.make_table(("connectionId", "S"))
    with FaultyGateway(default=faults.hangs) as server:
        environment = cloud.environment(table, server.url, REAPER_PROBE_TIMEOUT_SECONDS="20")
        process = subprocess.Popen(
            [sys.executable, "-m", "reaper", "check"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # A shell that starts us in the background makes its children ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        eventually(lambda: server.requests)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)

    assert process.returncode == 130
    assert b"Traceback" not in errors


def test_a_row_that_does_not_name_its_endpoint_is_found_by_check(cloud, lone_api):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("a"))
    environment = cloud.environment(table, lone_api, REAPER_ENDPOINT_ATTRIBUTE="endpont")
    done = cloud.reaper("check", environment=environment)

    assert done.code == 1
    assert "endpont: an endpoint in 0 of 1 rows" in done.stdout


def test_a_table_in_another_region_than_the_api_is_warned_of(cloud, lone_api):
    environment = cloud.environment("any", "wss://abc.execute-api.eu-west-1.amazonaws.com/prod")
    done = cloud.reaper("sweep", environment=environment)

    assert "AWS_REGION" in lines_about(done, "in eu-west-1 and the table in us-east-1")


def test_a_pipe_that_is_closed_is_no_traceback(cloud):
    command = f"{sys.executable} -m reaper env --markdown | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)

    assert done.stderr == ""


def test_check_makes_no_audit_log(cloud, lone_api, tmp_path):
    table = cloud.make_table(("connectionId", "S"))
    audit = tmp_path / "audit.jsonl"
    cloud.reaper(
        "check", environment=cloud.environment(table, lone_api, REAPER_AUDIT_LOG=str(audit))
    )

    assert not audit.exists()


def test_check_changes_nothing(cloud, chat):
    clients = chat.connect(2)
    cloud.put(chat.table, zombie("R0oXAdfD0kwCH6w="))
    before = cloud.rows(chat.table)
    done = cloud.reaper("check", environment=cloud.environment(chat.table, chat.endpoint))
    chat.listen(0.5)

    assert done.code == 0, done.stdout
    assert cloud.rows(chat.table) == before
    assert [client.heartbeats + client.received for client in clients] == [0, 0]
    assert "2 are alive and 1 are gone" in done.stdout


def test_check_finds_the_wrong_api(cloud, chat, lone_api):
    chat.connect(2)
    done = cloud.reaper("check", environment=cloud.environment(chat.table, lone_api))

    assert done.code == 1
    assert "REAPER_API_ENDPOINT is another API's" in done.stdout


def test_credentials_that_were_pasted_in_two_lines_are_never_shown(cloud):
    environment = cloud.environment("any", "https://abc.execute-api.eu-west-1.amazonaws.com/prod")
    environment |= {
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2lu\nX2VjEA",
        "AWS_PROFILE": " ",
        "HTTPS_PROXY": "http://user:secret@proxy.local",
    }
    for command in ("sweep", "check", "run"):
        done = cloud.reaper(command, environment=environment)
        assert done.code == 2
        assert "in one piece" in lines_about(done, "AWS_SESSION_TOKEN")
        for secret in ("IQoJb3JpZ2lu", "X2VjEA", "secret"):
            assert secret not in done.stderr + done.stdout


def test_a_socks_proxy_is_refused_by_name(cloud):
    environment = cloud.environment("any", "https://abc.execute-api.eu-west-1.amazonaws.com/prod")
    done = cloud.reaper(
        "check", environment=environment | {"HTTPS_PROXY": "socks5://user:secret@proxy.local"}
    )
    assert done.code == 2
    assert "is a socks5 proxy" in lines_about(done, "HTTPS_PROXY")
    assert "secret" not in done.stderr
