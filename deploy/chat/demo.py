"""The demo: a real chat on real sockets, clients that vanish or freeze, and the reaper.

    make demo

Starts a local stand-in for AWS, deploys the chat, lets clients connect, chat and vanish, stops the
process of one that stays connected, runs ``reaper run`` as its own process, and checks the outcome
against the clients, the table and the chat's room. The last line of stdout is one JSON object. Exit
code 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from websockets.exceptions import ConnectionClosed

from deploy.chat.clients import ChatClient, open_clients
from deploy.chat.deploy import Chat, deploy
from deploy.chat.frozen import FrozenClient
from deploy.chat.handlers.authorizer import sign_token
from deploy.chat.standin import REGION, StandIn
from deploy.chat.taskrole import ACCOUNT, AT_DEFAULTS, TaskRole, task_policy

CLIENTS = 64
ZOMBIES = 22
OPENING_MESSAGES = 64
CLOSING_MESSAGES = 90
SPEAK_AT_ONCE = 6
"""More would queue up in the stand-in, on a slow machine for so long that pongs come too late."""
SWEEPS_AFTER_EVICTION = 4
SLOWEST_SECONDS = 170
FROZEN_USER = "user-frozen"
CODE_BUCKET = "chat-code"

REAPER_SETTINGS = {
    "REAPER_SWEEP_INTERVAL_SECONDS": "5",
    "REAPER_HEARTBEAT_INTERVAL_SECONDS": "8",
    "REAPER_NEWBORN_GRACE_SECONDS": "3",
    "REAPER_CONFIRM_DELAY_SECONDS": "1",
    "REAPER_PONG_TIMEOUT_SECONDS": "2.2",
    "REAPER_MESSAGE_SOURCE": "attribute",
    "REAPER_HTTP_BIND": "",
    "REAPER_LOG_FORMAT": "json",
}
"""Seconds where production has minutes; everything else is as it comes."""

console = Console(highlight=False, record=True)


@dataclass
class Reaper:
    """The real ``reaper run``, a process of its own, and the reports that it logs."""

    process: asyncio.subprocess.Process
    reports: list[dict[str, Any]] = field(default_factory=list)
    evicted: Counter[str] = field(default_factory=Counter)
    """By reason."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        """Read its log until it ends; show each sweep."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            entry = json.loads(line)
            if entry["event"] == "sweep finished":
                self.reports.append(entry)
                _show_sweep(len(self.reports), entry)
                self._news.set()
            elif entry["event"] == "evicted":
                self.evicted[entry["reason"]] += entry["rows"]
            elif entry["level"] == "error":
                console.print(f"[yellow]  reaper says: {entry['event']}[/]", soft_wrap=True)

    def total(self, counter: str) -> int:
        return sum(int(report[counter] or 0) for report in self.reports)

    async def next_report(self) -> None:
        self._news.clear()
        await self._news.wait()


class Failure(Exception):
    """Something is not as it should be. The message says what."""


@asynccontextmanager
async def reaper_running(
    role: TaskRole, standin: StandIn, chat: Chat, directory: Path
) -> AsyncIterator[Reaper]:
    """In the role that deploy/ecs would give it, and with no other credentials."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reaper", "run"),
        env={
            name: value
            for name, value in (os.environ | standin.environment).items()
            if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        }
        | role.environment
        | REAPER_SETTINGS
        | {
            "REAPER_TABLE_NAME": chat.connections_table,
            "REAPER_API_ENDPOINT": f"{standin.management_endpoint_base}/{chat.api_id}/{chat.stage}",
            "REAPER_ON_EVICT_LAMBDA": chat.disconnect_function,
            "REAPER_AUDIT_LOG": str(directory / "audit.jsonl"),
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    reaper = Reaper(process)
    following = asyncio.create_task(reaper.follow())
    try:
        yield reaper
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            await process.wait()
        await following


async def demo(directory: Path) -> dict[str, Any]:
    """Play it from beginning to end; returns what the last line shows. Raises Failure."""
    started = time.monotonic()
    with StandIn(directory, auth=True) as standin:
        os.environ.update(standin.environment)
        _say("a local stand-in for AWS answers", f"{standin.url}, and enforces IAM policies")
        chat = await asyncio.to_thread(_deploy, standin)
        _say("the chat is deployed", f"table {chat.connections_table}, WebSocket API {chat.api_id}")
        clients = await _open_clients(standin, chat)
        _say("clients are connected", f"{len(clients)} sockets, all in one room")
        await _chat(clients, messages=OPENING_MESSAGES)
        _say("they have chatted", f"{OPENING_MESSAGES} messages, each to all")
        vanished, staying = clients[:ZOMBIES], clients[ZOMBIES:]
        await asyncio.to_thread(_delete_disconnect_route, standin, chat)
        for client in vanished:
            client.vanish()
        await asyncio.sleep(1)
        planted = len(await _users_in(standin, chat.connections_table)) - len(staying)
        live_before = sum(client.is_open for client in staying)
        _say("clients vanished and $disconnect never came", f"{planted} rows are zombies now")
        with await asyncio.to_thread(_freeze_one, standin, chat) as frozen:
            _say("one more connects, and its process is stopped", "the socket stays open")
            _say(
                "reaper run starts", "its sweeps (messages of the last 5 s, by the rows' counters):"
            )
            with await asyncio.to_thread(_task_role, standin, chat) as role:
                async with reaper_running(role, standin, chat, directory) as reaper:
                    await _watch(reaper, staying, planted)
            slept_through = await _thaw(frozen)
            _say("the stopped one wakes up", f"{slept_through} heartbeats late, its socket closed")
        await asyncio.sleep(1)
        rows = await _users_in(standin, chat.connections_table)
        members = await _users_in(standin, chat.members_table)
        summary = {
            "clients": len(clients),
            "zombies_planted": planted,
            "zombies_evicted": reaper.evicted["gone"] + reaper.evicted["expired"],
            "deaf_evicted": reaper.evicted["deaf"],
            "live_before": live_before,
            "live_after": sum(client.is_open for client in staying),
            "false_evictions": len(_users(ZOMBIES, CLIENTS) - rows),
            "room_members_after": len(members),
            **_heartbeats_and_messages(reaper, clients, slept_through),
            "seconds": round(time.monotonic() - started, 1),
        }
        _verify(summary, reaper, rows | members)
        for client in staying:
            await client.leave()
        return summary


async def _watch(reaper: Reaper, staying: list[ChatClient], planted: int) -> None:
    """Until the zombies are gone; then the chat goes on while some more sweeps are made."""
    while reaper.evicted["gone"] < planted:
        await reaper.next_report()
    chatting = asyncio.create_task(_chat(staying, messages=CLOSING_MESSAGES))
    for _ in range(SWEEPS_AFTER_EVICTION):
        await reaper.next_report()
    await chatting


def _deploy(standin: StandIn) -> Chat:
    session = standin.session()
    session.client("s3").create_bucket(Bucket=CODE_BUCKET)
    return deploy(
        session,
        "chat",
        CODE_BUCKET,
        token_secret=secrets.token_urlsafe(24),
        management_endpoint_base=standin.management_endpoint_base,
    )


async def _open_clients(standin: StandIn, chat: Chat) -> list[ChatClient]:
    expiry = time.time() + 3600
    tokens = [sign_token(f"user-{n}", chat.token_secret, expiry) for n in range(CLIENTS)]
    return await open_clients(_socket_url(standin, chat), tokens)


def _socket_url(standin: StandIn, chat: Chat) -> str:
    url = f"{standin.management_endpoint_base}/{chat.api_id}/{chat.stage}"
    return url.replace("http://", "ws://")


def _users(first: int, end: int) -> set[str]:
    return {f"user-{n}" for n in range(first, end)}


async def _chat(clients: list[ChatClient], messages: int) -> None:
    """They say something in turn, a few at a time, each when all have heard the last few.

    Raises Failure when one of them loses its socket.
    """
    speakers = itertools.islice(itertools.cycle(clients), messages)
    while some := list(itertools.islice(speakers, SPEAK_AT_ONCE)):
        awaited = {client: client.received + len(some) for client in clients}
        for client in some:
            with suppress(ConnectionClosed):  # found out below
                await client.say("hello")
        while any(client.received < count for client, count in awaited.items()):
            if not all(client.is_open for client in clients):
                raise Failure("a client lost its socket while it chatted")
            await asyncio.sleep(0.05)


def _delete_disconnect_route(standin: StandIn, chat: Chat) -> None:
    """From now on a lost client leaves its row behind, as where $disconnect is not delivered."""
    gateway = standin.session().client("apigatewayv2")
    for route in gateway.get_routes(ApiId=chat.api_id)["Items"]:
        if route["RouteKey"] == "$disconnect":
            gateway.delete_route(ApiId=chat.api_id, RouteId=route["RouteId"])


def _task_role(standin: StandIn, chat: Chat) -> TaskRole:
    """What deploy/ecs grants for these settings, and nothing else."""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{chat.disconnect_function}"
    policy = task_policy(
        chat.connections_table,
        chat.api_id,
        chat.stage,
        {*AT_DEFAULTS, "ExpectsPongs", "Updates", "HasLambda"},
        OnEvictLambdaArn=function,
    )
    return TaskRole(standin, policy)


def _freeze_one(standin: StandIn, chat: Chat) -> FrozenClient:
    token = sign_token(FROZEN_USER, chat.token_secret, time.time() + 3600)
    return FrozenClient(_socket_url(standin, chat), token)


async def _thaw(frozen: FrozenClient) -> int:
    """How many heartbeats it slept through. Raises Failure."""
    try:
        return await asyncio.to_thread(frozen.thaw)
    except subprocess.TimeoutExpired:
        raise Failure("nobody has closed the socket of the client that was stopped") from None


async def _users_in(standin: StandIn, table: str) -> set[str]:
    """The users who have a row in a table. Each of them has connected once."""

    def scan() -> set[str]:
        pages = standin.session().client("dynamodb").get_paginator("scan")
        return {
            item["userId"]["S"]
            for page in pages.paginate(TableName=table)
            for item in page["Items"]
        }

    return await asyncio.to_thread(scan)


def _heartbeats_and_messages(
    reaper: Reaper, clients: list[ChatClient], slept_through: int
) -> dict[str, Any]:
    messages = sum(client.sent for client in clients)
    heartbeats = reaper.total("heartbeats")
    return {
        "heartbeats_sent": heartbeats,
        "heartbeats_received": sum(client.heartbeats for client in clients) + slept_through,
        "messages": messages,
        "heartbeat_message_ratio": round(heartbeats / messages, 3) if messages else None,
    }


def _verify(summary: dict[str, Any], reaper: Reaper, users: set[str]) -> None:
    """The clients are the witnesses. ``users`` are those who are in the table or in the room."""
    wrong = [
        what
        for what, ok in {
            "reaper run did not exit with 0": reaper.process.returncode == 0,
            "not every zombie was planted": summary["zombies_planted"] == ZOMBIES,
            "not every zombie was evicted": summary["zombies_evicted"] == ZOMBIES,
            "a vanished client still has its row, or its place": not users & _users(0, ZOMBIES),
            "the client that was stopped was not evicted": summary["deaf_evicted"] == 1,
            "it still has its row, or its place": FROZEN_USER not in users,
            "a live client lost its socket": summary["live_after"] == CLIENTS - ZOMBIES,
            "a live client lost its row": summary["false_evictions"] == 0,
            "the room does not hold just the living": (
                summary["room_members_after"] == CLIENTS - ZOMBIES
            ),
            "heartbeats were counted that did not arrive, or arrived uncounted": (
                summary["heartbeats_sent"] == summary["heartbeats_received"] > 0
            ),
        }.items()
        if not ok
    ]
    if wrong:
        raise Failure(f"{'; '.join(wrong)}: {json.dumps(summary)}")


def _say(what: str, detail: str) -> None:
    console.print(f"[bold green]•[/] {what}  [dim]{detail}[/]", soft_wrap=True)


def _show_sweep(number: int, report: dict[str, Any]) -> None:
    messages, ratio = report["messages"], report["heartbeat_message_ratio"]
    console.print(
        f"  sweep {number:>2}"
        f"  [dim]rows[/] {report['scanned']:>3}"
        f"  [dim]left alone[/] {report['newborn'] + report['fresh']:>3}"
        f"  [green]alive {report['alive']:>3}[/]"
        f"  [red]zombies {report['confirmed']:>3}  evicted {report['evicted']:>3}[/]"
        f"  [cyan]heartbeats {report['heartbeats']:>3}[/]"
        f"  [dim]messages ≈[/] {'–' if messages is None else messages:>3}"
        f"  [bold]ratio {'–' if ratio is None else f'{ratio:.2f}'}[/]",
        soft_wrap=True,
    )


def _show_summary(summary: dict[str, Any]) -> None:
    table = Table(title="what the clients and the table say", show_header=False)
    for name, value in summary.items():
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description="Zombies, and the reaper that finds them.")
    parser.add_argument("--svg", help="save what was shown as a picture")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: signal.raise_signal(signal.SIGINT))
    with tempfile.TemporaryDirectory(prefix="reaper-demo-") as directory:
        try:
            summary = asyncio.run(asyncio.wait_for(demo(Path(directory)), SLOWEST_SECONDS))
        except KeyboardInterrupt:
            console.print("interrupted; everything that was started is ended")
            return 130
        except TimeoutError:
            console.print(f"[bold red]it took longer than {SLOWEST_SECONDS} s[/]")
            return 1
        except Failure as failure:
            console.print(f"[bold red]{failure}[/]", soft_wrap=True)
            return 1
    _show_summary(summary)
    console.print(
        "[bold green]every zombie is gone, from the table and the room; the living are untouched[/]"
    )
    if arguments.svg:
        console.save_svg(arguments.svg, title="make demo")
    print(json.dumps(summary), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
