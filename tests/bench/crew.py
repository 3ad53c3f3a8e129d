"""Many workers behind one queue: how fast, and what becomes of them and of the budget."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deploy.chat.standin import StandIn
from tests.bench.gateway import GONE_PREFIX
from tests.bench.lab import Lab
from tests.bench.table_api import TABLE, connection_id
from tests.support.moments import most_within
from tests.support.waiting import eventually

SEGMENTS = 16
WORKERS_ROWS = 200_000
INTERVAL_SECONDS = 200
START_SECONDS = 15
QUEUE = {"FifoQueue": "true"}


@dataclass
class Crew:
    """Some workers, and what their logs say."""

    lab: Lab
    stack: ExitStack
    gateway: str
    table: str
    settings: dict[str, str]
    names: list[str] = field(default_factory=list)

    def join(self) -> subprocess.Popen[bytes]:
        name = f"worker-{len(self.names)}-{time.time():.0f}.log"
        self.names.append(name)
        worker = self.lab.worker(name, self.gateway, self.table, **self.settings)
        return self.stack.enter_context(worker)

    def events(self, event: str) -> list[dict[str, Any]]:
        entries = (entry for name in self.names for entry in self.lab.log(name))
        return [entry for entry in entries if entry["event"] == event]

    def wait_for(self, sweep: int) -> None:
        """Until all segments of a sweep are done."""
        _eventually(
            lambda: (
                sum(
                    len(entry["segments"])
                    for entry in self.events("segments completed")
                    if entry["sweep"] == sweep
                )
                >= SEGMENTS
            )
        )


def workers(lab: Lab) -> dict[str, float]:
    """Rows a second of 1, 2 and 4 workers, 5 % zombies; and their time that is no sweeping."""
    found: dict[str, float] = {}
    with _standin() as standin, lab.gateway() as gateway:
        for count in (1, 2, 4):
            with lab.table(WORKERS_ROWS, gone_percent=5) as table, ExitStack() as stack:
                settings = _settings(standin, INTERVAL_SECONDS)
                _wait_until_a_sweep_is_still_enqueued()
                crew = _sweep_once(Crew(lab, stack, gateway, table, settings), count)
            started = min(_at(entry) for entry in crew.events("reaper starts"))
            ended = max(_at(entry) for entry in crew.events("segments completed"))
            found[f"rows_per_second_{count}_workers"] = WORKERS_ROWS / (ended - started)
            found[f"coordination_percent_{count}_workers"] = 100 * _coordination(crew)
    return found


def _wait_until_a_sweep_is_still_enqueued() -> None:
    """Who starts in the second half of an interval waits for the next one: that is no work."""
    into_interval = time.time() % INTERVAL_SECONDS
    if into_interval > INTERVAL_SECONDS / 2 - START_SECONDS:
        time.sleep(INTERVAL_SECONDS - into_interval)


def _sweep_once(crew: Crew, count: int) -> Crew:
    for _ in range(count):
        crew.join()
    _eventually(lambda: bool(crew.events("segments completed")))
    crew.wait_for(crew.events("segments completed")[0]["sweep"])
    return crew


def _coordination(crew: Crew) -> float:
    """The part of the time from a worker's start to its last deed that went by without a sweep."""
    lived = swept = 0.0
    for name in crew.names:
        log = crew.lab.log(name)
        ends = [_at(entry) for entry in log if entry["event"] == "segments completed"]
        if ends:
            (start,) = [_at(entry) for entry in log if entry["event"] == "reaper starts"]
            lived += max(ends) - start
            swept += sum(entry["seconds"] for entry in log if entry["event"] == "sweep finished")
    return 1 - swept / lived


def crew(lab: Lab) -> dict[str, float]:
    """Four workers, 50,000 rows: one is killed, one stopped and continued, one joins."""
    rows, gone_percent, budget_rps, interval = 50_000, 10, 2_000, 80
    ids = [connection_id(n, gone_percent) for n in range(rows)]
    zombies = {name for name in ids if name.startswith(GONE_PREFIX)}
    with (
        _standin() as standin,
        lab.gateway(counts_arrivals=True) as gateway,
        ExitStack() as stack,
    ):
        dynamodb = _fill(standin, ids)
        settings = _settings(standin, interval, visibility_seconds=10) | {
            "REAPER_QUOTA_RPS": str(budget_rps),
            "REAPER_FRESH_SECONDS": "0",
            "REAPER_HEARTBEAT_MODE": "off",
        }
        team = Crew(lab, stack, gateway, standin.url, settings)
        time.sleep(interval - time.time() % interval - 1)
        sweep = int((time.time() + 1) // interval)
        killed, stopped, *_ = [team.join() for _ in range(4)]
        _eventually(lambda: len(team.events("segments leased")) == 4)
        time.sleep(3)
        killed.kill()
        stopped.send_signal(signal.SIGSTOP)
        team.join()
        time.sleep(14)
        stopped.send_signal(signal.SIGCONT)
        team.wait_for(sweep)
        team.wait_for(sweep + 1)
        pages = dynamodb.get_paginator("scan").paginate(TableName=TABLE)
        left = {item["connectionId"]["S"] for page in pages for item in page["Items"]}
    asked = lab.asked()
    live = set(ids) - zombies
    again = Counter(asked[name] - 2 for name in live)
    return {
        "live_rows_evicted": len(live - left),
        "zombies_left": len(left & zombies),
        "live_rows_not_asked_in_each_of_two_sweeps": sum(
            count for more, count in again.items() if more < 0
        ),
        "questions_in_two_sweeps": sum(asked[name] for name in live),
        "of_them_asked_again": sum(more * count for more, count in again.items() if more > 0),
        "segments_lost_or_taken_over": len(team.events("segment swept again")),
        "fullest_second_of_budget": most_within(1, lab.arrivals()) / budget_rps,
    }


@contextmanager
def _standin() -> Iterator[StandIn]:
    with TemporaryDirectory() as directory, StandIn(Path(directory)) as standin:
        yield standin


def _settings(
    standin: StandIn, interval_seconds: int, visibility_seconds: int = 30
) -> dict[str, str]:
    """With a queue of its own."""
    sqs = standin.session().client("sqs", endpoint_url=standin.url)
    attributes = QUEUE | {"VisibilityTimeout": str(visibility_seconds)}
    url = sqs.create_queue(QueueName=f"{time.time_ns()}.fifo", Attributes=attributes)["QueueUrl"]
    return standin.environment | {
        "AWS_ENDPOINT_URL_SQS": standin.url,
        "REAPER_QUEUE_URL": url,
        "REAPER_SCAN_SEGMENTS": str(SEGMENTS),
        "REAPER_SWEEP_INTERVAL_SECONDS": str(interval_seconds),
        "REAPER_HTTP_BIND": "",
    }


def _fill(standin: StandIn, ids: list[str]) -> Any:
    dynamodb = standin.session().client("dynamodb", endpoint_url=standin.url)
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connectionId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    connected_at = {"N": str(int((time.time() - 600) * 1000))}
    for start in range(0, len(ids), 25):
        requests = [
            {"PutRequest": {"Item": {"connectionId": {"S": name}, "connectedAt": connected_at}}}
            for name in ids[start : start + 25]
        ]
        dynamodb.batch_write_item(RequestItems={TABLE: requests})
    return dynamodb


def _at(entry: dict[str, Any]) -> float:
    return datetime.fromisoformat(entry["timestamp"]).timestamp()


def _eventually(condition: Callable[[], bool]) -> None:
    eventually(condition, seconds=300, every=0.2)
