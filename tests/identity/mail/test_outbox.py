"""The outbox: nothing is lost, nothing waits for a mail server, nothing is sent twice without need."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock

import pytest
from sqlalchemy import select

from app.vault import CustodyVault
from identity.mail.composing import Composer
from identity.mail.errors import (
    MailAddressInvalid,
    MailDeferred,
    MailNotFound,
    MailRefused,
    MailServerUnavailable,
    MailValuesWrong,
)
from identity.mail.model import MailPolicy, MailStanding
from identity.mail.service import Delivered, MailOutbox
from identity.mail.tables import mails
from tests.identity.mail.conftest import Carried
from tests.support.clock import FrozenClock
from tests.support.databases import Begin

Queue = Callable[..., None]
CODE = "7K3M-9QXF-2T8W-ABCD"


class Crash(BaseException):
    """The process dies here."""


def test_a_mail_goes_to_its_reader_with_its_words(outbox: MailOutbox, queue: Queue, carried: Carried) -> None:
    queue("registration", {"code": CODE}, to="siti@contoh.example", language="en")
    assert outbox.deliver(carried) == Delivered(sent=1)
    ((to, message),) = carried.taken
    assert to == "siti@contoh.example"
    body = message.get_body(("plain",))
    assert body is not None
    assert f"https://absah.example/register/confirm?code={CODE}" in body.get_content()
    assert outbox.deliver(carried) == Delivered()
    assert carried.rounds == 1, "an empty outbox leaves the mail server alone"


def test_a_mail_of_a_transaction_that_fails_is_never_sent(
    outbox: MailOutbox, begin: Begin, carried: Carried
) -> None:
    def register() -> None:
        with begin() as tx:
            outbox.queue(tx, to="siti@contoh.example", template="account_ready", language="id", values={})
            raise Crash

    with pytest.raises(Crash):
        register()
    outbox.deliver(carried)
    assert carried.taken == []


def test_nothing_at_rest_names_the_reader_or_the_code_and_nothing_stays_once_sent(
    outbox: MailOutbox, begin: Begin, queue: Queue, carried: Carried
) -> None:
    queue("registration", {"code": CODE}, to="siti@contoh.example")
    with begin() as tx:
        row = tx.execute(select(mails)).one()
    assert b"siti" not in row.sealed
    assert CODE.encode() not in row.sealed
    outbox.deliver(carried)
    with begin() as tx:
        row = tx.execute(select(mails)).one()
    assert (row.state, row.sealed) == ("sent", None)


def test_a_mistake_is_found_when_the_mail_is_queued(
    outbox: MailOutbox, begin: Begin, queue: Queue, carried: Carried
) -> None:
    with pytest.raises(MailValuesWrong):
        queue("registration", {})
    with pytest.raises(MailAddressInvalid):
        queue("account_ready", to="siti@contoh.example\r\nBcc: x@y.example")
    outbox.deliver(carried)
    assert carried.taken == []


# --- servers that do not work ------------------------------------------------------------------------


def test_a_server_that_cannot_be_reached_costs_no_mail_an_attempt(
    outbox: MailOutbox, queue: Queue, carried: Carried, clock: FrozenClock
) -> None:
    for _ in range(3):
        queue()
    carried.fault = MailServerUnavailable("ConnectionRefusedError")
    for _ in range(100):
        with pytest.raises(MailServerUnavailable):
            outbox.deliver(carried)
        clock.advance(timedelta(hours=1))
    assert outbox.standing().waiting == 3
    carried.fault = None
    assert outbox.deliver(carried) == Delivered(sent=3)


def test_a_connection_that_breaks_puts_off_one_mail_and_the_others_follow(
    outbox: MailOutbox, queue: Queue, carried: Carried, clock: FrozenClock
) -> None:
    for template in ("account_ready", "account_resumed", "account_suspended"):
        queue(template)
        clock.advance(timedelta(seconds=1))
    carried.faults = [MailServerUnavailable("SMTPServerDisconnected")]
    with pytest.raises(MailServerUnavailable):
        outbox.deliver(carried)
    assert outbox.deliver(carried) == Delivered(sent=2)
    clock.advance(timedelta(seconds=30))
    assert outbox.deliver(carried) == Delivered(sent=1)
    assert carried.subjects[2] == "Akun Anda siap dipakai"


def test_a_mail_that_is_put_off_waits_longer_each_time_and_is_given_up_at_last(
    outbox: MailOutbox, queue: Queue, carried: Carried, clock: FrozenClock
) -> None:
    queue()
    policy = MailPolicy()
    for attempt in range(1, policy.attempts):
        carried.faults = [MailDeferred("451 4.7.1")]
        assert outbox.deliver(carried) == Delivered(put_off=1)
        clock.advance(policy.pause(attempt) - timedelta(seconds=1))
        assert outbox.deliver(carried) == Delivered()
        clock.advance(timedelta(seconds=1))
    carried.faults = [MailDeferred("451 4.7.1")]
    assert outbox.deliver(carried) == Delivered(dead=1)
    clock.advance(timedelta(days=1))
    assert outbox.deliver(carried) == Delivered()
    assert outbox.standing() == MailStanding(waiting=0, dead=1, oldest=None)
    (letter,) = outbox.dead_letters()
    assert (letter.template, letter.attempts, letter.last_failure) == ("account_ready", 12, "451 4.7.1")


def test_a_mail_that_is_refused_for_good_is_kept_and_can_be_sent_again(
    outbox: MailOutbox, queue: Queue, carried: Carried
) -> None:
    queue("registration", {"code": CODE})
    carried.faults = [MailRefused("550 5.1.1")]
    assert outbox.deliver(carried) == Delivered(dead=1)
    (letter,) = outbox.dead_letters()
    outbox.revive(letter.id)
    assert outbox.deliver(carried) == Delivered(sent=1)
    with pytest.raises(MailNotFound):
        outbox.revive(letter.id)
    with pytest.raises(MailNotFound):
        outbox.revive("0" * 32)


def test_a_mail_with_a_defect_does_not_stand_before_the_others(
    outbox: MailOutbox, begin: Begin, queue: Queue, carried: Carried, clock: FrozenClock
) -> None:
    queue()
    with begin() as tx:
        tx.execute(mails.update().values(sealed=bytes(60)))
    clock.advance(timedelta(seconds=1))
    queue("account_resumed")
    with pytest.raises(Exception, match="form of sealed values"):
        outbox.deliver(carried)
    assert outbox.deliver(carried) == Delivered(sent=1)


# --- crashes and competition -------------------------------------------------------------------------


def test_a_crash_before_the_server_took_it_delays_the_mail_and_does_not_lose_it(
    outbox: MailOutbox, queue: Queue, carried: Carried, clock: FrozenClock
) -> None:
    queue()

    def die() -> None:
        raise Crash

    carried.meanwhile = die
    with pytest.raises(Crash):
        outbox.deliver(carried)
    carried.meanwhile = lambda: None
    assert outbox.deliver(carried) == Delivered(), "it still belongs to the process that died"
    clock.advance(MailPolicy().claim)
    assert outbox.deliver(carried) == Delivered(sent=1)


def test_a_crash_after_the_server_took_it_sends_it_once_more_with_the_same_message_id(
    outbox: MailOutbox, begin: Begin, queue: Queue, carried: Carried, clock: FrozenClock
) -> None:
    queue()
    with begin() as tx:
        before = tx.execute(select(mails)).one()
    outbox.deliver(carried)
    with begin() as tx:  # the note of the outcome was lost with the process, its claim was not
        tx.execute(
            mails.update().values(
                state="waiting", sealed=before.sealed, attempts=1, due_at=clock() + MailPolicy().claim
            )
        )
    clock.advance(MailPolicy().claim)
    outbox.deliver(carried)
    first, second = (message["Message-ID"] for _, message in carried.taken)
    assert first == second


def test_twenty_processes_at_once_send_each_mail_once(
    outbox: MailOutbox, queue: Queue, carried: Carried
) -> None:
    for _ in range(10):
        queue()
    lock = Lock()

    def one_by_one() -> None:
        with lock:
            pass

    carried.meanwhile = one_by_one
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda _: outbox.deliver(carried), range(20)))
    assert sum(one.sent for one in done) == len(carried.taken) == 10
    assert len({message["Message-ID"] for _, message in carried.taken}) == 10


def test_a_late_note_of_a_claim_that_ended_changes_nothing(
    outbox: MailOutbox, queue: Queue, carried: Carried, clock: FrozenClock
) -> None:
    """Two processes hold the same mail because the first one stalled for longer than its claim."""
    queue()

    def stall() -> None:
        carried.meanwhile = lambda: None
        clock.advance(MailPolicy().claim)
        assert outbox.deliver(carried) == Delivered(sent=1)

    carried.meanwhile = stall
    carried.faults = []
    outbox.deliver(carried)
    assert outbox.standing() == MailStanding(waiting=0, dead=0, oldest=None)


def test_a_stop_leaves_the_rest_for_later(outbox: MailOutbox, queue: Queue, carried: Carried) -> None:
    for _ in range(3):
        queue()
    assert outbox.deliver(carried, stopping=lambda: bool(carried.taken)) == Delivered(sent=1)
    assert outbox.deliver(carried) == Delivered(sent=2)


# --- what is kept ------------------------------------------------------------------------------------


def test_the_standing_says_what_waits_since_when(
    outbox: MailOutbox, queue: Queue, clock: FrozenClock
) -> None:
    since = clock()
    queue()
    clock.advance(timedelta(minutes=5))
    queue()
    assert outbox.standing() == MailStanding(waiting=2, dead=0, oldest=since)


def test_sent_and_dead_mails_are_forgotten_after_their_time_and_waiting_ones_never(
    outbox: MailOutbox, queue: Queue, carried: Carried, clock: FrozenClock
) -> None:
    policy = MailPolicy()
    queue()
    queue()
    carried.faults = [MailRefused("550")]
    outbox.deliver(carried)
    queue()
    clock.advance(policy.keep_sent + timedelta(seconds=1))
    assert outbox.forget() == 1
    clock.advance(policy.keep_dead)
    assert outbox.forget() == 1
    assert outbox.standing().waiting == 1


def test_policy_limits_come_from_outside(
    begin: Begin, clock: FrozenClock, vault: CustodyVault, composer: Composer, carried: Carried
) -> None:
    strict = MailOutbox(
        begin=begin, read=begin, clock=clock, vault=vault, composer=composer, policy=MailPolicy(attempts=1)
    )
    with begin() as tx:
        strict.queue(tx, to="siti@contoh.example", template="account_ready", language="id", values={})
    carried.faults = [MailDeferred("450")]
    assert strict.deliver(carried) == Delivered(dead=1)
