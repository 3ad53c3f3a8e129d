"""Many workers, one sweep: processes, a real queue, and what happens to them."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import faulty_gateway as faults
from tests.support.cloud import Queue, daemon
from tests.support.faulty_gateway import FaultyGateway
from tests.support.logs import log_of
from tests.support.moments import most_within
from tests.support.rows import zombie
from tests.support.waiting import eventually

VISIBILITY_SECONDS = 4
SEGMENTS = 12


@pytest.fixture
def queue(cloud) -> Queue:
    return cloud.make_queue(VISIBILITY_SECONDS)


def settings(queue: Queue, interval_seconds: float, budget_rps: int) -> dict[str, str]:
    return {
        "REAPER_QUEUE_URL": queue.url,
        "REAPER_SCAN_SEGMENTS": str(SEGMENTS),
        "REAPER_SWEEP_INTERVAL_SECONDS": str(interval_seconds),
        "REAPER_QUOTA_RPS": str(budget_rps),
        "REAPER_QUOTA_SHARE": "1",
        "REAPER_HEARTBEAT_MODE": "off",
        "REAPER_FRESH_SECONDS": "0",
    }


class Crew:
    """Some ``reaper run``, each with a log of its own."""

    def __init__(self, stack: ExitStack, directory: Path, environment: dict[str, str]) -> None:
        self._stack = stack
        self._directory = Path(tempfile.mkdtemp(dir=directory))
        self._environment = environment
        self.logs: list[Path] = []

    def join(self) -> subprocess.Popen[bytes]:
        log = self._directory / f"log-{len(self.logs)}"
        self.logs.append(log)
        return self._stack.enter_context(daemon(self._environment, log))

    def events(self, event: str) -> list[dict]:
        return [
            entry
            for log in self.logs
            if log.exists()
            for entry in log_of(log)
            if entry["event"] == event
        ]

    def segments_by_worker(self) -> list[int]:
        """How many segments each has completed."""
        return [
            sum(len(e["segments"]) for e in log_of(log) if e["event"] == "segments completed")
            for log in self.logs
        ]

    def done(self) -> dict[int, list[int]]:
        """The segments that were done, by sweep."""
        found: dict[int, list[int]] = {}
        for entry in self.events("segments completed"):
            found.setdefault(entry["sweep"], []).extend(entry["segments"])
        return {sweep: sorted(segments) for sweep, segments in found.items()}

    def whole_sweeps(self) -> int:
        return sum(len(segments) == SEGMENTS for segments in self.done().values())


@pytest.fixture
def crew(tmp_path) -> Iterator[type]:
    with ExitStack() as stack:
        yield lambda environment: Crew(stack, tmp_path, environment)


def wait_for_tick(interval_seconds: float) -> None:
    """Until just before the next sweep begins."""
    time.sleep((interval_seconds - 0.2 - time.time()) % interval_seconds)


def test_workers_share_a_sweep_whoever_dies_sleeps_or_joins(cloud, queue, crew, tmp_path):
    """One is killed, one is stopped for longer than the visibility timeout, one joins."""
    interval, budget_rps, rows = 16, 160, 1000
    table = cloud.make_table(("connectionId", "S"))
    zombies = {f"c{n:04}" for n in range(0, rows, 10)}
    cloud.put(table, *(zombie(f"c{n:04}") for n in range(rows)))
    with FaultyGateway(dict.fromkeys(zombies, faults.gone)) as server:
        team = crew(cloud.environment(table, server.url, **settings(queue, interval, budget_rps)))
        wait_for_tick(interval)
        killed, stopped, _ = [team.join() for _ in range(3)]
        eventually(lambda: len(server.requests) > 200)
        killed.kill()
        stopped.send_signal(signal.SIGSTOP)
        team.join()
        time.sleep(VISIBILITY_SECONDS + 2)
        stopped.send_signal(signal.SIGCONT)
        eventually(lambda: team.whole_sweeps() == 2, seconds=5 * interval)
        requests = Counter(server.asked())

    assert cloud.ids(table) == {f"c{n:04}" for n in range(rows)} - zombies
    moments = sorted(moment for moment, _, _ in server.requests)
    assert most_within(3, moments) <= 1.5 * 3 * budget_rps, "on a busy machine; see make bench"
    live = [requests[name] for name in cloud.ids(table)]
    assert min(live) >= 2, "every row was asked in each of two sweeps"
    again = sum(count - 2 for count in live)
    assert 0 < again < len(live), f"{again} of {2 * len(live)} probes were sent twice"
    assert {entry["event"] for log in team.logs for entry in log_of(log)} >= {
        "segments lost",
        "segment swept again",
    }


def test_without_mishap_every_row_is_asked_once_and_every_worker_has_its_part(cloud, queue, crew):
    interval, rows = 10, 600
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:04}") for n in range(rows)))
    with FaultyGateway() as server:
        team = crew(cloud.environment(table, server.url, **settings(queue, interval, 400)))
        wait_for_tick(interval)
        for _ in range(3):
            team.join()
        eventually(lambda: team.whole_sweeps() == 2, seconds=4 * interval)
        requests = server.asked()

    assert set(requests.values()) == {2}, "once in each of two sweeps"
    assert min(team.segments_by_worker()) >= 2, "of 24, in the second sweep if it started late"


def be_early(interval_seconds: float, seconds: float) -> None:
    """Wait for the next sweep if the one that goes on is not enqueued any more in so long."""
    if time.time() % interval_seconds > interval_seconds / 2 - seconds:
        time.sleep(interval_seconds - time.time() % interval_seconds)


def test_told_to_stop_it_releases_its_segments_at_once(cloud, queue, crew):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:04}") for n in range(600)))
    be_early(40, seconds=10)
    with FaultyGateway() as server:
        team = crew(cloud.environment(table, server.url, **settings(queue, 40, 40)))
        first = team.join()
        eventually(lambda: len(server.requests) > 20)
        eventually(lambda: team.events("segments leased"))
        started = time.monotonic()
        first.terminate()
        assert first.wait(10) == 0
        assert time.monotonic() - started < 8
        team.join()
        eventually(lambda: len(team.events("segments leased")) == 2, seconds=10)

    taken = [entry["segments"] for entry in team.events("segments leased")]
    assert taken == [list(range(SEGMENTS))] * 2
    assert team.events("segments released")


def test_a_worker_with_nothing_to_do_is_healthy_and_one_that_cannot_plan_is_not(
    cloud, queue, crew, tmp_path
):
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("c"))
    with FaultyGateway() as server:
        environment = cloud.environment(
            table, server.url, **settings(queue, 1, 40), REAPER_HTTP_BIND="127.0.0.1:0"
        )
        team = crew(environment | {"REAPER_SCAN_SEGMENTS": "1"})
        for _ in range(2):
            team.join()
        eventually(lambda: len(team.done()) >= 5)
        queue.delete()
        eventually(lambda: len(team.events("sweep not enqueued")) >= 2)
        eventually(lambda: len(team.events("alert")) >= 2)

    (told,) = {(entry["why"], entry["cure"]) for entry in team.events("sweep not enqueued")}
    assert told == (f"there is no queue {queue.url}", "correct REAPER_QUEUE_URL")
    assert {entry["kind"] for entry in team.events("alert")} <= {"sweep-failed", "sweep-overrun"}


def test_what_is_no_segment_ends_in_the_dead_letter_queue_and_is_told(cloud, crew):
    queue = cloud.make_queue(visibility_seconds=1)
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, zombie("c"))
    queue.send("not a segment", group="0")
    with FaultyGateway() as server:
        team = crew(cloud.environment(table, server.url, **settings(queue, 2, 400)))
        team.join()
        eventually(lambda: team.events("message left to the dead-letter queue"))
        eventually(lambda: team.events("segments given up"))
        eventually(lambda: list(range(SEGMENTS)) in team.done().values())

    left = team.events("message left to the dead-letter queue")
    assert len(left) == 2, "as often as the queue allows"
    assert "it is not of the reaper's making" in left[0]["why"]
    assert queue.dead_letters_url in team.events("segments given up")[0]["why"]
    assert "sweep-failed" in {entry["kind"] for entry in team.events("alert")}


def test_a_table_that_fails_releases_the_segments_for_another_try(cloud, queue, crew):
    be_early(40, seconds=10)
    with FaultyGateway() as server:
        environment = cloud.environment("missing", server.url, **settings(queue, 40, 400))
        team = crew(environment)
        team.join()
        eventually(lambda: team.events("segments released"))

    (back,) = team.events("segments released")
    assert 0 in back["segments"]
    assert {entry["kind"] for entry in team.events("alert")} == {"table-unreachable"}


def test_pongs_need_all_rows_of_a_connection_in_one_segment(cloud, queue, crew):
    """Else a client would be deaf to one worker that is heard of by another."""
    table = cloud.make_table(("room", "S"), ("connectionId", "S"))
    be_early(40, seconds=10)
    with FaultyGateway() as server:
        environment = cloud.environment(
            table,
            server.url,
            **(settings(queue, 40, 400) | {"REAPER_HEARTBEAT_MODE": "idle"}),
            REAPER_PONG_TIMEOUT_SECONDS="5",
        )
        team = crew(environment)
        team.join()
        eventually(lambda: team.events("sweep failed"))

    assert (
        "to have the connection id as its partition key, which is room"
        in (team.events("sweep failed")[0]["why"])
    )


def test_without_a_queue_nothing_of_it_is_imported():
    code = (
        "import sys; import reaper.commands.run;"
        " print(sorted(name for name in sys.modules if name in ('reaper.schedule.shared',"
        " 'reaper.schedule.lease', 'reaper.aws.sqs', 'reaper.core.segments')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_worker_whose_gateway_is_unresponsive_gives_way(cloud, crew):
    """Nobody's heartbeats are lost because one of the workers has no route to the gateway."""
    queue = cloud.make_queue(VISIBILITY_SECONDS, most_receives=10)
    table = cloud.make_table(("connectionId", "S"))
    cloud.put(table, *(zombie(f"c{n:03}") for n in range(400)))
    with FaultyGateway() as good, FaultyGateway(default=faults.broken) as bad:
        lame = crew(cloud.environment(table, bad.url, **settings(queue, 30, 400)))
        lame.join()
        eventually(lambda: lame.events("segments released"), seconds=30)
        team = crew(cloud.environment(table, good.url, **settings(queue, 30, 400)))
        team.join()
        eventually(lambda: len(set(good.asked())) == 400, seconds=60)

    assert lame.done() == {}
