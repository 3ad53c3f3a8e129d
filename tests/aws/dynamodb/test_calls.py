"""DynamoDB calls side by side: every fault of one is its own, and what may pass is tried again."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from reaper.aws.dynamodb import calls as calls_module
from reaper.aws.dynamodb.calls import MAX_ATTEMPTS, Calls, DynamoApi
from reaper.aws.dynamodb.conditions import ConditionFailed
from reaper.core.errors import TableError
from tests.support import faulty_gateway as faults
from tests.support.clients import a_client
from tests.support.faulty_gateway import FaultyGateway


def refuses(code: str, message: str = "why", status: int = 400):
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return faults.answers(status, body)


NOT_ITS_OWN = "its answer is not DynamoDB's own: is there a proxy in between?"
done = faults.answers(200, {})
met_no_condition = refuses("ConditionalCheckFailedException")
throttled = refuses("ProvisionedThroughputExceededException")


def explain(operation: str, code: str, message: str, _: float | None) -> TableError:
    return TableError(f"{operation}|{code}|{message}")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(calls_module, "FIRST_PAUSE_SECONDS", 0.001)


def make(behaviours: list, calls: int = 1, timeout_seconds: float = 10.0):
    """The results of so many calls, and how many requests it took."""
    client = a_client("dynamodb", timeout_seconds=timeout_seconds)
    with FaultyGateway({"": behaviours}) as server:
        try:
            maker = Calls(DynamoApi(client, server.endpoint, explain))
            results = maker.make("DeleteItem", [{"n": n} for n in range(calls)])
        finally:
            client.close()
        return results, server.asked("POST")[""]


def test_an_answer_is_its_body():
    assert make([faults.answers(200, {"a": 1})]) == ([json.dumps({"a": 1}).encode()], 1)


def test_a_condition_that_is_not_met_is_no_error_and_is_not_tried_again():
    (result,), requests = make([met_no_condition])
    assert isinstance(result, ConditionFailed)
    assert requests == 1


@pytest.mark.parametrize(
    "passes",
    [
        throttled,
        refuses("ThrottlingException"),
        refuses("RequestLimitExceeded"),
        refuses("InternalServerError", status=500),
        faults.broken,
        faults.answers(503, b"<html>"),
        faults.resets,
        faults.truncates,
    ],
)
def test_what_may_pass_is_tried_again(passes):
    (result,), requests = make([passes, done])
    assert (result, requests) == (b"{}", 2)


def test_what_is_not_answered_is_tried_again():
    (result,), requests = make([faults.hangs, done], timeout_seconds=1.0)
    assert (result, requests) == (b"{}", 2)


def test_but_not_for_ever():
    (result,), requests = make([throttled])
    assert str(result) == "DeleteItem|ProvisionedThroughputExceededException|why"
    assert requests == MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (refuses("AccessDeniedException"), "DeleteItem|AccessDeniedException|why"),
        (refuses("ResourceNotFoundException"), "DeleteItem|ResourceNotFoundException|why"),
        (refuses("ValidationException"), "DeleteItem|ValidationException|why"),
        (refuses("ExpiredTokenException"), "DeleteItem|ExpiredTokenException|why"),
        (faults.answers(400, b"\xff not json"), "DeleteItem|HTTP status 400|"),
        (faults.answers(403, [1]), "DeleteItem|HTTP status 403|"),
        (faults.answers(302), "DeleteItem|HTTP status 302|"),
        (faults.answers(400, b'{"a":' * 5000), "DeleteItem|HTTP status 400|"),
        (faults.answers(200, b"<html>"), f"DeleteItem||{NOT_ITS_OWN}"),
        (faults.answers(200, b""), f"DeleteItem||{NOT_ITS_OWN}"),
    ],
)
def test_a_refusal_is_told_and_not_tried_again(refusal, told):
    (result,), requests = make([refusal])
    assert (str(result), requests) == (told, 1)


def test_of_many_calls_each_has_its_own_result():
    behaviours = [done, throttled, done, met_no_condition, done]
    results, requests = make(behaviours, calls=200)
    assert sum(isinstance(result, ConditionFailed) for result in results) == 1
    assert sum(result == b"{}" for result in results) == 199
    assert requests == 201


def test_the_pause_doubles_from_attempt_to_attempt(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(calls_module.time, "sleep", pauses.append)
    monkeypatch.setattr(calls_module, "FIRST_PAUSE_SECONDS", 100.0)
    make([throttled])
    pauses = [pause for pause in pauses if pause >= 50]  # the client takes short naps of its own
    assert len(pauses) == MAX_ATTEMPTS - 1
    for n, pause in enumerate(pauses):
        assert 100 * 2**n / 2 <= pause <= 100 * 2**n


def test_answers_to_calls_that_broke_off_are_not_taken_for_those_of_later_ones(monkeypatch):
    client = a_client("dynamodb")

    def by_number(handler) -> None:
        (done if json.loads(handler.body)["n"] == 1 else met_no_condition)(handler)

    with FaultyGateway(default=by_number) as server, closing(client):
        api = DynamoApi(client, server.endpoint, explain)
        maker = Calls(api)
        poll = api.poll
        monkeypatch.setattr(api, "poll", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            maker.make("DeleteItem", [{"n": 1}])
        monkeypatch.setattr(api, "poll", poll)
        (result,) = maker.make("DeleteItem", [{"n": 2}])
    assert isinstance(result, ConditionFailed)
