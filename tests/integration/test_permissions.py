"""Against a stand-in that verifies signatures and enforces IAM, as the task role of deploy/ecs."""

from __future__ import annotations

import copy
import json
import re
import uuid
from datetime import timedelta

import pytest
from cfnlint.decode import cfn_yaml

from deploy.chat import taskrole
from deploy.chat.standin import REGION, StandIn
from deploy.chat.taskrole import ACCOUNT, AT_DEFAULTS, TaskRole
from tests.support.cloud import Cloud, daemon, function
from tests.support.logs import sweeps
from tests.support.rows import zombie
from tests.support.waiting import eventually

PLAIN = set(AT_DEFAULTS)


def task_policy(
    table: str, api: str, conditions: set[str] | None = None, **references: str
) -> dict:
    return taskrole.task_policy(
        table, api, "prod", PLAIN if conditions is None else conditions, **references
    )


@pytest.fixture(scope="module")
def strict(tmp_path_factory) -> Cloud:
    with StandIn(tmp_path_factory.mktemp("strict"), auth=True) as standin:
        cloud = Cloud(standin, standin.session())
        cloud.make_queue(visibility_seconds=30, name="strict")
        yield cloud


@pytest.fixture
def api(strict) -> str:
    made = strict.gateway.create_api(
        Name="strict", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )
    strict.gateway.create_stage(ApiId=made["ApiId"], StageName="prod")
    return made["ApiId"]


def as_user(cloud: Cloud, policy: dict, table: str, api: str, **settings: str) -> dict[str, str]:
    """The environment of a fresh user who may do just what ``policy`` says."""
    iam = cloud.session.client("iam", endpoint_url=cloud.standin.url)
    name = f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    endpoint = f"{cloud.standin.management_endpoint_base}/{api}/prod"
    return cloud.environment(table, endpoint, **settings) | {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


def without(policy: dict, action: str, resource: str = "") -> dict:
    """The policy less one action, or less the resources that hold some text."""
    statements = []
    for statement in policy["Statement"]:
        one = dict(statement)
        actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
        if resource and action in actions:
            one["Resource"] = [arn for arn in one["Resource"] if resource not in arn]
        elif action in actions:
            one["Action"] = [other for other in actions if other != action]
        if one["Action"] and one["Resource"]:
            statements.append(one)
    return policy | {"Statement": statements}


IDS = ("R0oXAdfD0kwCH6w=", "a+b/c", "per%cent", "sp ace", "ünï", "a~b'(c)*!", "a&b?c#d")


def test_signatures_are_accepted_for_whatever_people_store(strict, api):
    """A signature that was not accepted would be a 403, and so unknown instead of gone."""
    table = strict.make_table(("connectionId", "S"))
    strict.put(table, *(zombie(name) for name in IDS))
    environment = as_user(strict, task_policy(table, api), table, api)
    done = strict.reaper("sweep", "--json", "--trust-endpoint", environment=environment)

    assert (done.code, done.report["confirmed"], done.report["evicted"]) == (0, 7, 7)
    assert strict.rows(table) == []


def test_check_is_content_with_the_task_role(strict, api):
    table = strict.make_table(("connectionId", "S"))
    environment = as_user(strict, task_policy(table, api), table, api)
    environment |= {"REAPER_MESSAGE_SOURCE": "cloudwatch"}
    done = strict.reaper("check", environment=environment)

    assert done.code == 0, done.stdout
    assert "✗" not in done.stdout


ARNS = {
    f"{name}.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}.fifo"
    for name, queue in (("WorkQueue", "strict"), ("DeadLetterQueue", "strict-dead"))
}


def granted(conditions: set[str]) -> set[tuple[str, str]]:
    """Every action of the template's policy, those on connections by their method."""
    policy = task_policy("t", "a", conditions, OnEvictLambdaArn="f", OnEvictEventBusArn="b", **ARNS)
    return {
        (action, f"/{resource.split('/')[2]}/" if "@connections" in resource else "")
        for statement in policy["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def listed(one_or_many: str | list[str]) -> list[str]:
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]


@pytest.mark.parametrize(("action", "resource"), sorted(granted(PLAIN)))
def test_no_permission_is_superfluous_and_check_names_the_missing_one(
    strict, api, action, resource
):
    table = strict.make_table(("connectionId", "S"))
    policy = without(task_policy(table, api), action, resource)
    environment = as_user(strict, policy, table, api)
    environment |= {"REAPER_MESSAGE_SOURCE": "cloudwatch"}
    done = strict.reaper("check", environment=environment)

    assert done.code == 1
    (fault,) = [line for line in done.stdout.splitlines() if line.startswith("✗")]
    assert action.split(":")[1] in fault
    assert resource in fault


PONGS = {"REAPER_PONG_TIMEOUT_SECONDS": "5"}
CLEARS = {"REAPER_EVICT_ACTION": "clear", "REAPER_CONNECTION_ID_ATTRIBUTE": "ws"}
PARTITION = {"REAPER_EVICT_SCOPE": "partition"}
PUTS = {"REAPER_METRICS": "cloudwatch"}
QUEUED = {"REAPER_QUEUE_URL": "{url}/000000000000/strict.fifo"}
HOOKS = {"REAPER_ON_EVICT_LAMBDA": "cleaner", "REAPER_ON_EVICT_EVENT_BUS": "default"}


def filled(cloud: Cloud, settings: dict[str, str]) -> dict[str, str]:
    """Settings with the stand-in's URL where they leave room for it."""
    return {name: value.format(url=cloud.standin.url) for name, value in settings.items()}


CLEARING = (PLAIN - {"Deletes"}) | {"Updates", "Clears"}
PARTITIONS = PLAIN | {"TakesPartitions"}
PONGING = PLAIN | {"ExpectsPongs", "Updates"}
HOOKED = PLAIN | {"HasLambda", "HasEventBus"}
PUTTING = PLAIN | {"PutsMetrics"}
SHARING = PLAIN | {"SharesSweeps"}
FEATURES = (
    (PONGS, PONGING),
    (CLEARS, CLEARING),
    (PARTITION, PARTITIONS),
    (HOOKS, HOOKED),
    (PUTS, PUTTING),
    (QUEUED, SHARING),
)
"""What can be set that needs more, and the template's conditions that hold then."""


MEMBERS = {"REAPER_CONNECTION_ID_ATTRIBUTE": "seats{}"}
SAME = (
    ({}, PLAIN),
    (PONGS, PONGING),
    (CLEARS, CLEARING),
    (PARTITION, PARTITIONS),
    (HOOKS, HOOKED),
    (PUTS, PUTTING),
    (MEMBERS, (PLAIN - {"Deletes"}) | {"Updates"}),
    ({"REAPER_TABLE_INDEX": "by-id"}, PLAIN | {"HasIndex"}),
    ({"REAPER_ENDPOINT_ATTRIBUTE": "endpoint"}, PLAIN | {"RowsNameEndpoints"}),
    ({"REAPER_HEARTBEAT_MODE": "off"}, PLAIN - {"SendsHeartbeats"}),
    ({"REAPER_MESSAGE_SOURCE": "none"}, PLAIN - {"CountsMessages"}),
)
"""Settings, and the template's conditions that grant for them what `reaper policy` prints."""


@pytest.mark.parametrize(
    ("settings", "conditions", "action", "resource"),
    [
        (settings, conditions, *more)
        for settings, conditions in FEATURES
        for more in sorted(granted(conditions) - granted(PLAIN))
    ],
)
def test_what_is_set_needs_just_what_the_template_grants_for_it(
    strict, api, cleaner, settings, conditions, action, resource
):
    table = strict.make_table(("connectionId", "S"))
    strict.put(table, zombie("c", ws={"S": "c"}, messageCount={"N": "1"}))
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    policy = task_policy(
        table, api, conditions, OnEvictLambdaArn=cleaner, OnEvictEventBusArn=arn, **ARNS
    )
    settings = filled(strict, settings)
    enough = as_user(strict, for_ministack(policy, arn), table, api, **settings)
    faults = [
        line
        for line in strict.reaper("check", environment=enough).stdout.splitlines()
        if line.startswith("✗") and "are gone" not in line
    ]
    assert faults == []

    lacking = for_ministack(without(policy, action, resource), arn)
    less = as_user(strict, lacking, table, api, **settings)
    told = strict.reaper("check", environment=less).stdout
    (fault,) = [
        line for line in told.splitlines() if line.startswith("✗") and "are gone" not in line
    ]
    assert f'"Action": "{action}"' in fault
    assert resource in fault


def test_these_are_all_the_conditions_that_there_are():
    """So no grant of the template is left untried."""
    everything = set().union(*(conditions for _, conditions in (*FEATURES, *SAME)))
    template = cfn_yaml.load(str(taskrole.TEMPLATE))
    policy = str(template["Resources"]["TaskRole"]["Properties"]["Policies"])
    assert everything >= set(re.findall(r"'Fn::If': \['(\w+)'", policy))


@pytest.mark.parametrize(("settings", "conditions"), [({}, PLAIN), *FEATURES])
def test_a_sweep_needs_nothing_that_the_role_does_not_grant(
    strict, api, cleaner, settings, conditions
):
    """Nothing but the role's temporary credentials, as on ECS: a call too many would be denied."""
    table = strict.make_table(("connectionId", "S"))
    strict.put(
        table, *(zombie(f"z{n}", ws={"S": f"z{n}"}, messageCount={"N": "1"}) for n in range(5))
    )
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    policy = task_policy(
        table, api, conditions, OnEvictLambdaArn=cleaner, OnEvictEventBusArn=arn, **ARNS
    )
    with TaskRole(strict.standin, for_ministack(policy, arn)) as role:
        environment = as_task(strict, role, table, api, **filled(strict, settings))
        environment |= {"REAPER_MESSAGE_SOURCE": "cloudwatch"}
        done = strict.reaper("sweep", "--json", "--trust-endpoint", environment=environment)

    assert (done.code, done.report["evicted"], done.report["denied"]) == (0, 5, 0)
    optional = "account's quota not known"
    told = [line for line in done.log if line["event"] != optional]
    assert not [line for line in told if "AccessDenied" in str(line)]


def test_workers_who_share_sweeps_need_nothing_that_the_role_does_not_grant(strict, api, tmp_path):
    table, log = strict.make_table(("connectionId", "S")), tmp_path / "log"
    strict.put(table, *(zombie(f"z{n}") for n in range(3)))
    settings = filled(strict, QUEUED) | {"REAPER_SWEEP_INTERVAL_SECONDS": "1"}
    policy = for_ministack(task_policy(table, api, SHARING, **ARNS))
    with TaskRole(strict.standin, policy) as role:
        environment = as_task(strict, role, table, api, **settings)
        with daemon(environment, log) as process:
            eventually(lambda: log.exists() and log.read_text().count("segments completed") >= 2)
            process.terminate()
            assert process.wait(10) == 0
    assert "not granted" not in log.read_text()


def test_credentials_that_end_are_replaced_in_time(strict, api, tmp_path):
    """Every few seconds, as they are after hours on ECS."""
    table, log = strict.make_table(("connectionId", "S")), tmp_path / "log"
    strict.put(table, *(zombie(f"z{n}") for n in range(3)))
    with TaskRole(strict.standin, task_policy(table, api), timedelta(seconds=2)) as role:
        environment = as_task(strict, role, table, api, REAPER_SWEEP_INTERVAL_SECONDS="1")
        with daemon(environment, log) as process:
            eventually(lambda: role.handed_out >= 4 and len(sweeps(log)) >= 6)
            process.terminate()
            assert process.wait(10) == 0
    assert all(report["denied"] == 0 for report in sweeps(log))
    assert "sweep failed" not in log.read_text()


def as_task(cloud: Cloud, role: TaskRole, table: str, api: str, **settings: str) -> dict[str, str]:
    endpoint = f"{cloud.standin.management_endpoint_base}/{api}/prod"
    environment = cloud.environment(table, endpoint, **settings) | role.environment
    return {
        name: value
        for name, value in environment.items()
        if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    }


def for_ministack(policy: dict, bus: str = "") -> dict:
    """The same policy, where ministack has other names for things than AWS.

    Of DescribeEventBus it takes the bus for a rule, it knows no metric's namespace, and SQS's
    batches are actions of their own.
    """
    made_up = copy.deepcopy(policy)
    for statement in made_up["Statement"]:
        statement.pop("Condition", None)
        if statement["Resource"] == bus:
            statement["Resource"] = [bus, f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"]
        queue_actions = [one for one in listed(statement["Action"]) if one.startswith("sqs:")]
        if queue_actions:
            statement["Action"] = [*queue_actions, *(f"{one}Batch" for one in queue_actions)]
    return made_up


@pytest.fixture(scope="module")
def cleaner(strict) -> str:
    """A function to be invoked on eviction."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    strict.session.client("iam", endpoint_url=strict.standin.url).create_role(
        RoleName="any",
        AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [trust | {"Action": "sts:AssumeRole"}]}
        ),
    )
    return function(strict, "def handler(event, context):\n    return {}\n", name="cleaner")


@pytest.mark.parametrize(
    ("action", "resource", "code", "hold_reason"),
    [
        ("execute-api:ManageConnections", "/GET/", 3, "denied"),
        ("dynamodb:DeleteItem", "", 1, None),
        ("dynamodb:BatchGetItem", "", 1, None),
    ],
)
def test_a_revoked_permission_evicts_nothing(strict, api, action, resource, code, hold_reason):
    table = strict.make_table(("connectionId", "S"))
    strict.put(table, *(zombie(f"z{n}") for n in range(5)))
    policy = without(task_policy(table, api), action, resource)
    environment = as_user(strict, policy, table, api, REAPER_HEARTBEAT_MODE="off")
    done = strict.reaper("sweep", "--json", "--trust-endpoint", environment=environment)

    assert (done.code, done.report["hold_reason"]) == (code, hold_reason)
    assert done.report["evicted"] == 0
    assert len(strict.rows(table)) == 5


def test_a_missing_grant_for_post_holds_where_everybody_gets_a_heartbeat(strict, api):
    table = strict.make_table(("connectionId", "S"))
    strict.put(table, zombie("z"))
    policy = without(task_policy(table, api), "execute-api:ManageConnections", "/POST/")
    environment = as_user(strict, policy, table, api, REAPER_HEARTBEAT_MODE="always")
    done = strict.reaper("sweep", "--json", environment=environment)

    assert (done.code, done.report["hold_reason"], done.report["denied"]) == (3, "denied", 1)


def test_a_scan_that_is_not_granted_fails_with_the_name_of_the_permission(strict, api):
    table = strict.make_table(("connectionId", "S"))
    policy = without(task_policy(table, api), "dynamodb:Scan")
    done = strict.reaper("sweep", environment=as_user(strict, policy, table, api))

    assert done.code == 1
    assert "dynamodb:Scan" in done.stderr


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"EVICT_SCOPE": "partition"},
        {"EVICT_ACTION": "clear", "CONNECTION_ID_ATTRIBUTE": "ws"},
        {"CONNECTION_ID_ATTRIBUTE": "seats{}"},
        {"METRICS": "cloudwatch", "MESSAGE_SOURCE": "cloudwatch"},
        {"HEARTBEAT_MODE": "off"},
        {"PONG_TIMEOUT_SECONDS": "5"},
        {"QUEUE_URL": "yes"},
        {"ENDPOINT_ATTRIBUTE": "endpoint"},
    ],
    ids=str,
)
def test_the_policy_that_is_printed_is_enough_and_check_is_content(strict, api, settings):
    table = strict.make_table(("connectionId", "S"))
    variables = {f"REAPER_{name}": value for name, value in settings.items()}
    if "QUEUE_URL" in settings:
        sqs = strict.session.client("sqs", endpoint_url=strict.standin.url)
        variables["REAPER_QUEUE_URL"] = sqs.get_queue_url(QueueName="strict.fifo")["QueueUrl"]
    endpoint = f"{strict.standin.management_endpoint_base}/{api}/prod"
    printed = strict.reaper("policy", environment=strict.environment(table, endpoint, **variables))
    strict.put(
        table,
        *(
            zombie(name) | {"ws": {"S": f"w{name}"}, "seats": {"M": {f"s{name}": {"M": {}}}}}
            for name in ("a1", "a2")
        ),
    )
    policy = for_ministack(json.loads(printed.stdout))
    environment = as_user(strict, policy, table, api, **variables)
    done = strict.reaper("check", environment=environment)
    # Nobody is connected to a stand-in without clients: that alone is told.
    faults = [line for line in done.stdout.splitlines() if line.startswith("✗")]
    assert not [line for line in faults if "granted" in line], done.stdout
    swept = strict.reaper("sweep", "--json", "--trust-endpoint", environment=environment)
    assert (swept.code, swept.report["evicted"], swept.report["failed"]) == (0, 2, 0), swept.stderr


@pytest.mark.parametrize(
    ("settings", "conditions"), SAME, ids=[" ".join(settings) for settings, _ in SAME]
)
def test_the_printed_policy_is_that_of_the_template(strict, settings, conditions):
    """Action by action and resource by resource; `reaper policy` leaves the account open."""
    endpoint = f"https://abc123.execute-api.{REGION}.amazonaws.com/prod"
    settings = {"REAPER_MESSAGE_SOURCE": "cloudwatch"} | settings
    environment = strict.environment("t", endpoint, **settings)
    printed = json.loads(strict.reaper("policy", environment=environment).stdout)
    hooks = {"OnEvictLambdaArn": f"arn:aws:lambda:{REGION}:*:function:cleaner"}
    hooks["OnEvictEventBusArn"] = f"arn:aws:events:{REGION}:*:event-bus/default"
    template = task_policy("t", "abc123", conditions, TableIndex="by-id", **hooks)
    assert grants(printed) == grants(template)


def grants(policy: dict) -> set[tuple[str, str]]:
    return {
        (action, resource.replace(ACCOUNT, "*"))
        for statement in policy["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def test_the_policy_of_a_scheduled_sweep_is_the_least_too(strict):
    template = cfn_yaml.load(str(taskrole.TEMPLATE.with_name("scheduled.yaml")))
    task = template["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"][0]
    fixed = {one["Name"]: str(one["Value"]) for one in task["Environment"]}
    settings = {name: fixed[name] for name in ("REAPER_HEARTBEAT_MODE", "REAPER_MESSAGE_SOURCE")}
    endpoint = f"https://abc123.execute-api.{REGION}.amazonaws.com/prod"
    environment = strict.environment("t", endpoint, **settings)
    printed = json.loads(strict.reaper("policy", environment=environment).stdout)
    granted = task_policy("t", "abc123", set(), template="scheduled.yaml")
    assert grants(printed) == grants(granted)
