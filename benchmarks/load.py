"""A closed-loop HTTP/1.1 load generator: so many connections, each with one request on its way at a time.

Runs as a process of its own so that its interpreter does not share the server's. It checks every status
line, because an error is quick to answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence


class _Connection(asyncio.Protocol):
    """Sends the next request when the last answer is whole."""

    def __init__(self, requests: Sequence[bytes], expected: bytes, totals: dict[str, int]) -> None:
        self._requests = requests
        self._expected = expected
        self._totals = totals
        self._buffer = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        at = head.find(b"content-length:")
        if at < 0:
            raise RuntimeError(f"an answer without Content-Length: {head[:300]!r}")
        length = int(head[at + 15 : (head + b"\r\n").index(b"\r\n", at)])
        if len(self._buffer) < head_end + 4 + length:
            return
        self._totals["done" if self._buffer.startswith(self._expected) else "failed"] += 1
        self._buffer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        self._transport.write(random.choice(self._requests))

    def stop(self) -> None:
        self._transport.abort()


async def _run(
    host: str, port: int, requests: Sequence[bytes], *, status: int, connections: int, seconds: float
) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    totals = {"done": 0, "failed": 0}
    expected = b"HTTP/1.1 %d" % status
    clients = [
        (await loop.create_connection(lambda: _Connection(requests, expected, totals), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(min(1.0, seconds / 4))
    totals["done"] = totals["failed"] = 0
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    answer = {"per_second": totals["done"] / elapsed, "failed": float(totals["failed"])}
    for client in clients:
        client.stop()
    return answer


def main() -> None:
    """Reads one JSON job on standard input, writes one JSON result."""
    job = json.load(sys.stdin)
    requests = [bytes.fromhex(request) for request in job.pop("requests")]
    print(json.dumps(asyncio.run(_run(requests=requests, **job))))


if __name__ == "__main__":
    main()
