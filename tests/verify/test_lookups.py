"""Look-ups that arrive together are asked together; answers are fresh, errors reach everyone who waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from signing.model import Release
from tests.support.clock import FrozenClock
from tests.verify.documents import Register, SealedDocument
from verify.errors import VerifierBusy
from verify.lookups import Lookups


class Held:
    """Answers only when it is let; so that more look-ups arrive while a query is under way."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.let = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, ids: Sequence[str]) -> dict[str, Release]:
        self.let.wait(5)
        self.threads.add(threading.get_ident())
        return self.register.by_ids(list(ids))


async def _spin() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_lookups_that_arrive_during_a_query_share_the_next(
    register: Register, document: SealedDocument, clock: FrozenClock
) -> None:
    held = Held(register)
    lookups = Lookups(held, clock, max_batch=4)

    async def scenario() -> list[Release | None]:
        first = asyncio.create_task(lookups.find("A"))
        await _spin()
        others = [
            asyncio.create_task(lookups.find(name)) for name in ["B", "B", document.claims.document_id, "C"]
        ]
        late = [asyncio.create_task(lookups.find(name)) for name in ["D", "E"]]
        await _spin()
        held.let.set()
        return list(await asyncio.gather(first, *others, *late))

    answers = asyncio.run(scenario())
    assert register.asked == [("A",), ("B", document.claims.document_id, "C", "D"), ("E",)]
    assert answers == [None, None, None, register.records[document.claims.document_id], None, None, None]
    assert len(held.threads) == 1
    assert threading.get_ident() not in held.threads
    assert lookups.last_answer_at == clock()
    lookups.close()


def test_an_answer_was_read_after_the_question(
    register: Register, document: SealedDocument, clock: FrozenClock
) -> None:
    lookups = Lookups(register.by_ids, clock)

    async def scenario() -> list[str]:
        states = []
        for state in ("issued", "revoked", "issued"):
            register.change(document.claims.document_id, state=state)
            found = await lookups.find(document.claims.document_id)
            assert found is not None
            states.append(found.state)
        return states

    assert asyncio.run(scenario()) == ["issued", "revoked", "issued"]
    lookups.close()


def test_an_error_reaches_everyone_who_waits_and_nobody_later(
    register: Register, document: SealedDocument, clock: FrozenClock
) -> None:
    lookups = Lookups(register.by_ids, clock)

    async def scenario() -> None:
        register.failure = RuntimeError("the database is not there")
        answers = await asyncio.gather(*(lookups.find(name) for name in "ABC"), return_exceptions=True)
        assert [str(answer) for answer in answers] == ["the database is not there"] * 3
        assert lookups.last_answer_at is None
        register.failure = None
        assert await lookups.find(document.claims.document_id) is not None

    asyncio.run(scenario())
    lookups.close()


def test_the_queue_is_bounded(register: Register, clock: FrozenClock) -> None:
    held = Held(register)
    lookups = Lookups(held, clock, max_waiting=3)

    async def scenario() -> None:
        waiting = [asyncio.create_task(lookups.find(name)) for name in "ABC"]
        await _spin()
        with pytest.raises(VerifierBusy):
            await lookups.find("D")
        held.let.set()
        assert await asyncio.gather(*waiting) == [None, None, None]
        assert await lookups.find("E") is None

    asyncio.run(scenario())
    lookups.close()


def test_a_caller_that_hangs_up_harms_nobody(register: Register, clock: FrozenClock) -> None:
    held = Held(register)
    lookups = Lookups(held, clock)

    async def scenario() -> None:
        impatient = asyncio.create_task(lookups.find("A"))
        patient = asyncio.create_task(lookups.find("A"))
        await _spin()
        impatient.cancel()
        held.let.set()
        assert await patient is None
        assert impatient.cancelled()

    asyncio.run(scenario())
    lookups.close()


def test_another_event_loop_can_go_on_with_it(register: Register, clock: FrozenClock) -> None:
    lookups = Lookups(register.by_ids, clock)
    for _ in range(3):
        assert asyncio.run(lookups.find("A")) is None
    lookups.close()
