"""The function hook over real sockets: what its answers mean, and how it bears throttling."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

import boto3
import pytest

from reaper.aws import lambda_hook
from reaper.aws.lambda_hook import LambdaHook
from reaper.aws.session import access
from reaper.core.errors import Refused
from reaper.core.events import HOOK_BATCH
from reaper.core.model import Reason, Zombie
from reaper.core.pacing import throttled
from tests.support import faulty_gateway as faults
from tests.support.builders import a_row
from tests.support.faulty_gateway import FaultyGateway

ZOMBIE = Zombie(a_row(), Reason.GONE, {})


@pytest.fixture
def call(monkeypatch):
    """Tells a function that behaves so of some zombies; what came of it."""
    monkeypatch.setattr(throttled, "FIRST_PAUSE_SECONDS", 0.02)
    opened = []

    def told(behaviour, zombies: int = 1):
        server = FaultyGateway(default=behaviour)
        server.__enter__()
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{server.port}")
        session = boto3.Session("AKID", "secret", region_name="eu-west-1")
        hook = LambdaHook(access(session, "eu-west-1"), "on-disconnect")
        opened.extend([(server.__exit__), (lambda *_: hook.close())])
        results = []
        for start in range(0, zombies, HOOK_BATCH):
            results += hook([ZOMBIE] * min(HOOK_BATCH, zombies - start))
        return results, server

    yield told
    for close in reversed(opened):
        close()


def failing(handler) -> None:
    handler.send_response(200)
    handler.send_header("X-Amz-Function-Error", "Unhandled")
    handler.send_header("Content-Length", "2")
    handler.end_headers()
    handler.wfile.write(b"{}")


refused = faults.answers(429, {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"})


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (faults.answers(200, b"null"), None),
        (faults.answers(200, {"statusCode": 200}), None),
        (faults.answers(200, b"anything"), None),
        (faults.answers(200, b"[" * 5000), None),
        (faults.answers(200, {"statusCode": 500}), "on-disconnect answered 500"),
        (faults.answers(200, {"statusCode": "²"}), None),
        (faults.answers(200, {"statusCode": "9" * 5000}), None),
        (failing, "on-disconnect failed, and no row goes without it: see the function's log"),
        (faults.answers(403, {"Message": "no"}, "AccessDeniedException"), "is not granted"),
        (faults.answers(404, {}, "ResourceNotFoundException"), "correct REAPER_ON_EVICT_LAMBDA"),
        (faults.answers(500, {"Message": "oops"}, "ServiceException"), "ServiceException: oops"),
        (faults.answers(502, b"<html>"), "failed: 502"),
        (refused, "lambda:InvokeFunction on on-disconnect failed: 429"),
        (faults.resets, "connection broke"),
    ],
)
def test_what_an_answer_means(call, behaviour, told):
    (result,), _ = call(behaviour)
    assert (result is None) == (told is None)
    assert told is None or told in str(result)


def test_a_missing_permission_is_told_as_one(call):
    (result,), _ = call(faults.answers(403, {"Message": "no"}, "AccessDeniedException"))
    assert result.refused is Refused.NOT_GRANTED


def test_a_function_that_hangs_is_given_up(call, monkeypatch):
    monkeypatch.setattr(lambda_hook, "MAX_INVOCATION_SECONDS", 1)
    results, _ = call(faults.hangs, zombies=3)
    assert all("no answer within 1 s" in str(result) for result in results)


def test_the_event_is_the_one_of_disconnect(call):
    events = []

    def records(handler) -> None:
        events.append((handler.path, json.loads(handler.body)))
        faults.answers(200, b"null")(handler)

    call(records)
    ((path, event),) = events
    assert path == "/2015-03-31/functions/on-disconnect/invocations"
    assert event["requestContext"]["routeKey"] == "$disconnect"


def test_a_function_that_is_always_throttled_is_called_seldom_and_not_for_ever(call):
    started = time.monotonic()
    results, server = call(refused, zombies=40)
    assert time.monotonic() - started < 10
    assert all("429" in str(result) for result in results)
    assert sum(server.asked("POST").values()) < 60


def test_a_function_with_few_places_serves_every_zombie_and_leaves_places_for_others(call):
    """Three places, which the live clients' own $disconnect needs too."""
    places, answers, lock = [0], Counter(), threading.Lock()

    def three_places(handler) -> None:
        with lock:
            has_place = places[0] < 3
            places[0] += has_place
            answers[has_place] += 1
        if not has_place:
            refused(handler)
            return
        time.sleep(0.05)
        with lock:
            places[0] -= 1
        faults.answers(200, b"null")(handler)

    results, _ = call(three_places, zombies=60)
    assert results == [None] * 60
    assert answers[False] < answers[True] * 0.75


def test_a_call_that_stale_connections_lost_is_made_again(call):
    def closes(handler) -> None:
        faults.answers(200, b"null")(handler)
        handler.close_connection = True

    results, _ = call(closes, zombies=60)
    assert results == [None] * 60
