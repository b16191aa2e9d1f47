"""Look-ups that arrive together are asked together.

A popular document is scanned by many phones at once, and one query for a hundred ids costs little more than
one for a single id. So each look-up joins the batch that is being collected while the previous query is under
way, and one query on a worker thread answers them all. Nothing is cached: every answer was read from the
database after the question arrived, so a revocation shows at once.

Ownership: the batch belongs to the event loop that runs the requests; only the query runs on another thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from signing.model import Release
from verify.errors import VerifierBusy

ByIds = Callable[[Sequence[str]], dict[str, Release]]


class Lookups:
    """Answers ``find`` for many callers with few queries.

    ``by_ids`` is called on one worker thread, never twice at the same time, with 1 to ``max_batch`` distinct
    ids. When it raises, every caller of that batch gets the exception; later callers are not affected.
    """

    def __init__(
        self,
        by_ids: ByIds,
        clock: Callable[[], datetime],
        *,
        max_batch: int = 256,
        max_waiting: int = 4096,
    ) -> None:
        self._by_ids = by_ids
        self._clock = clock
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: dict[str, list[asyncio.Future[Release | None]]] = {}
        self._waiters = 0
        self._asking: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lookups")
        self.last_answer_at: datetime | None = None

    async def find(self, document_id: str) -> Release | None:
        """The record with this canonical id, or None.

        Raises :class:`verify.errors.VerifierBusy` when too many callers wait, and whatever ``by_ids`` raises.
        """
        if self._waiters >= self._max_waiting:
            raise VerifierBusy
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Release | None] = loop.create_future()
        self._waiting.setdefault(document_id, []).append(answer)
        self._waiters += 1
        if self._asking is None:
            self._asking = loop.create_task(self._ask())
        return await answer

    def close(self) -> None:
        """Let the worker thread end. Call when the application stops."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch = self._next_batch()
                try:
                    found = await loop.run_in_executor(self._thread, self._by_ids, list(batch))
                except Exception as cause:  # noqa: BLE001 - handed on to everyone who waits for it
                    self._settle(batch, error=cause)
                else:
                    self.last_answer_at = self._clock()
                    self._settle(batch, found=found)
        finally:
            # A loop that stops in the middle of a query must not leave the next loop a task that never runs.
            self._asking = None
            for answers in self._waiting.values():
                for answer in answers:
                    answer.cancel()
            self._waiting.clear()
            self._waiters = 0

    def _next_batch(self) -> dict[str, list[asyncio.Future[Release | None]]]:
        if len(self._waiting) <= self._max_batch:
            batch, self._waiting = self._waiting, {}
        else:
            oldest = list(self._waiting)[: self._max_batch]
            batch = {document_id: self._waiting.pop(document_id) for document_id in oldest}
        return batch

    def _settle(
        self,
        batch: dict[str, list[asyncio.Future[Release | None]]],
        *,
        found: dict[str, Release] | None = None,
        error: Exception | None = None,
    ) -> None:
        for document_id, answers in batch.items():
            self._waiters -= len(answers)
            for answer in answers:
                if answer.done():  # its caller hung up
                    continue
                if error is not None:
                    answer.set_exception(error)
                elif found is not None:
                    answer.set_result(found.get(document_id))
