"""A table API that serves prepared pages, so that it is never the bottleneck.

``python -m tests.bench.table_api ROWS GONE_PERCENT KIND CONNECTED_AT`` prints its port and serves
until it is ended. It knows what the benchmarks call and nothing else; conditions are taken as met.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from tests.bench.gateway import GONE_PREFIX

TABLE = "connections"
PAGE_ROWS = 10_000
"""About what 1 MB holds of rows as small as these."""


def connection_id(number: int, gone_percent: int) -> str:
    """16 characters, like those of API Gateway; gone ones are spread evenly."""
    prefix = GONE_PREFIX if number * gone_percent % 100 < gone_percent else "R"
    return f"{prefix}{number:010d}AAHw="


class Table:
    """Rows in wire form, ready to be joined into pages, and what a projection leaves of them."""

    def __init__(
        self, rows: int, gone_percent: int, *, is_fresh: bool, connected_at: float
    ) -> None:
        """``connected_at`` is in epoch seconds."""
        connected_at_ms = int(connected_at * 1000)
        seen = f',"lastSeenAt":{{"N":"{int(time.time() * 1000)}"}}' if is_fresh else ""
        self.projected = [
            (
                f'{{"connectionId":{{"S":"{connection_id(n, gone_percent)}"}},'
                f'"connectedAt":{{"N":"{connected_at_ms + n % 1000}"}}{seen}}}'
            ).encode()
            for n in range(rows)
        ]
        self.deleted = 0

    def whole(self, start: int, stop: int) -> list[bytes]:
        """Rows with the attributes that only the application needs."""
        return [
            b'%s,"userId":{"S":"user-%07d"},"room":{"S":"room-%03d"}}'
            % (self.projected[n][:-1], n, n % 500)
            for n in range(start, stop)
        ]

    def answer(self, operation: str, body: bytes) -> bytes:
        if operation == "DeleteItem":
            self.deleted += 1
            return b"{}"
        request = json.loads(body)
        match operation:
            case "Scan":
                return self._scan(request)
            case "BatchGetItem":
                (asked,) = request["RequestItems"].values()
                numbers = (_number(key) for key in asked["Keys"])
                rows = b",".join(row for n in numbers for row in self.whole(n, n + 1))
                return b'{"Responses":{"%s":[%s]},"UnprocessedKeys":{}}' % (TABLE.encode(), rows)
            case "BatchWriteItem":
                self.deleted += sum(len(writes) for writes in request["RequestItems"].values())
                return b'{"UnprocessedItems":{}}'
            case "DescribeTable":
                return json.dumps({"Table": self._description()}).encode()
            case _:
                raise ValueError(f"the benchmarks do not call {operation}")

    def _scan(self, request: dict[str, Any]) -> bytes:
        segments, segment = request.get("TotalSegments", 1), request.get("Segment", 0)
        end = len(self.projected) * (segment + 1) // segments
        start_key = request.get("ExclusiveStartKey")
        start = _number(start_key) + 1 if start_key else len(self.projected) * segment // segments
        stop = min(end, start + min(request.get("Limit", PAGE_ROWS), PAGE_ROWS))
        is_projected = "ProjectionExpression" in request
        rows = self.projected[start:stop] if is_projected else self.whole(start, stop)
        page = b'{"Items":[%s],"Count":%d,"ScannedCount":%d' % (
            b",".join(rows),
            stop - start,
            stop - start,
        )
        if stop < end:
            last = json.loads(self.projected[stop - 1])["connectionId"]
            page += b',"LastEvaluatedKey":' + json.dumps({"connectionId": last}).encode()
        return page + b"}"

    def _description(self) -> dict[str, Any]:
        return {
            "TableName": TABLE,
            "TableArn": f"arn:aws:dynamodb:eu-west-1:000000000000:table/{TABLE}",
            "TableStatus": "ACTIVE",
            "ItemCount": len(self.projected),
            "KeySchema": [{"AttributeName": "connectionId", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "connectionId", "AttributeType": "S"}],
        }


def _number(key: dict[str, Any]) -> int:
    return int(key["connectionId"]["S"][1:11])


class Server(asyncio.Protocol):
    """As much of HTTP/1.1 as AWS's SDKs speak to DynamoDB."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            stop = end + 4 + int(_after(head.lower(), b"content-length:"))
            if len(self._received) < stop:
                return
            body, self._received = self._received[end + 4 : stop], self._received[stop:]
            answer = self._table.answer(_after(head, b"DynamoDB_20120810.").decode(), body)
            self._transport.write(_HEAD % len(answer) + answer)


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"


def _after(head: bytes, mark: bytes) -> bytes:
    start = head.index(mark) + len(mark)
    return head[start:].split(b"\r\n", 1)[0].strip()


async def serve(table: Table) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(table), "127.0.0.1", 0, backlog=1000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    rows, gone_percent, kind, connected_at = sys.argv[1:]
    table = Table(
        int(rows),
        int(gone_percent),
        is_fresh=kind == "fresh",
        connected_at=float(connected_at),
    )
    asyncio.run(serve(table))
