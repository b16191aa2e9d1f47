"""The outbox: mails are queued in the transaction that they tell of, and carried away afterwards."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.message import EmailMessage
from typing import Final

from sqlalchemy import Connection

from identity.mail.composing import Composer
from identity.mail.errors import MailDeferred, MailNotFound, MailRefused, MailServerUnavailable
from identity.mail.model import (
    MailPolicy,
    MailStanding,
    MailState,
    QueuedMail,
    checked_address,
    checked_values,
)
from identity.mail.ports import Carrier, Round
from identity.mail.tables import Mails
from identity.ports import Begin, Clock, Vault

PURPOSE: Final = "mail"
"""The data key that addresses and values are sealed under, bound to the mail's id."""

TRIAL: Final = "trial"
"""The mail that is sent to look whether mails can be sent."""

_MOST_PER_ROUND: Final = 500


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of the mails of one round."""

    sent: int = 0
    put_off: int = 0
    dead: int = 0


class MailOutbox:
    """Implements :class:`identity.ports.Outbox`, and carries mails away. Safe to share between threads.

    Queueing writes one row; whether a mail server works is nobody's business but :meth:`deliver`'s.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        vault: Vault,
        composer: Composer,
        policy: MailPolicy | None = None,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._vault = vault
        self._composer = composer
        self._policy = policy or MailPolicy()

    def queue(
        self, tx: Connection, *, to: str, template: str, language: str, values: Mapping[str, str]
    ) -> None:
        """Send this mail once ``tx`` commits. Raises leaves of :class:`identity.mail.errors.MailError`."""
        content = {"to": checked_address(to), "values": checked_values(template, values)}
        mail_id, now = secrets.token_hex(16), self._clock()
        sealed = self._vault.seal(PURPOSE, json.dumps(content).encode(), context=mail_id)
        Mails(tx).add(
            QueuedMail(
                id=mail_id,
                template=template,
                language=language,
                sealed=sealed,
                state=MailState.WAITING,
                queued_at=now,
                due_at=now,
                attempts=0,
                last_failure="",
            )
        )

    def deliver(self, carrier: Carrier, *, stopping: Callable[[], bool] = lambda: False) -> Delivered:
        """Carry away what is due. Any number of processes may do it at once, and die at any point.

        1. Is anything due? Otherwise the mail server is left alone.
        2. Connect. A server that does not answer costs no mail an attempt.
        3. One mail after the other: claim it, so that nobody else sends it; hand it over; note the outcome.

        A mail is sent twice only if this process dies, or loses the database, between the server's answer and
        the note: then it goes out again after :attr:`MailPolicy.claim`, with the same Message-ID, by which
        mailboxes know it. SMTP has no way to do better. Raises ``MailServerUnavailable``.
        """
        with self._read() as tx:
            due = Mails(tx).due(self._clock(), limit=_MOST_PER_ROUND)
        if not due:
            return Delivered()
        counts = {MailState.SENT: 0, MailState.WAITING: 0, MailState.DEAD: 0}
        with carrier.round() as round_:
            for mail in due:
                if stopping():
                    break
                claimed = self._claim(mail)
                if claimed is not None:
                    counts[self._attempt(round_, claimed)] += 1
        return Delivered(counts[MailState.SENT], counts[MailState.WAITING], counts[MailState.DEAD])

    def forget(self) -> int:
        """Delete what was kept long enough; how many mails that were."""
        now = self._clock()
        with self._begin() as tx:
            return Mails(tx).forget(
                sent_before=now - self._policy.keep_sent, dead_before=now - self._policy.keep_dead
            )

    def standing(self) -> MailStanding:
        """How many wait and how many were given up."""
        with self._read() as tx:
            return Mails(tx).standing()

    def dead_letters(self, *, limit: int = 100) -> list[QueuedMail]:
        """What was given up, the latest first."""
        with self._read() as tx:
            return Mails(tx).dead(limit=limit)

    def revive(self, mail_id: str) -> None:
        """Try a dead letter again. Raises :class:`identity.mail.errors.MailNotFound`."""
        with self._begin() as tx:
            register = Mails(tx)
            mail = register.get(mail_id)
            if mail is None or not register.revive(mail, at=self._clock()):
                raise MailNotFound(f"No dead letter has the id {mail_id!r}. `absah mail list` shows them.")

    def try_out(self, carrier: Carrier, *, to: str, language: str = "id") -> None:
        """Hand over one mail now, past the outbox, to find out whether a mail server takes it.

        Raises a leaf of :class:`identity.mail.errors.MailError`.
        """
        now = self._clock()
        mail = QueuedMail(secrets.token_hex(16), TRIAL, language, None, MailState.WAITING, now, now, 1, "")
        message = self._composer.compose(mail, to=checked_address(to), values={})
        with carrier.round() as round_:
            round_.hand_over(message, to=to)

    def _claim(self, mail: QueuedMail) -> QueuedMail | None:
        """None when another process was first."""
        until = self._clock() + self._policy.claim
        with self._begin() as tx:
            if not Mails(tx).claim(mail, until=until):
                return None
        return replace(mail, attempts=mail.attempts + 1, due_at=until)

    def _attempt(self, round_: Round, mail: QueuedMail) -> MailState:
        try:
            to, message = self._composed(mail)
            round_.hand_over(message, to=to)
        except MailRefused as refused:
            return self._give_up(mail, refused.reason)
        except MailDeferred as deferred:
            return self._put_off(mail, deferred.reason)
        except MailServerUnavailable as gone:
            self._put_off(mail, gone.reason)
            raise
        except Exception as cause:
            # A defect in one mail (its key, its words) must not stand before all others for ever.
            self._put_off(mail, type(cause).__name__)
            raise
        with self._begin() as tx:
            Mails(tx).sent(mail, at=self._clock())
        return MailState.SENT

    def _composed(self, mail: QueuedMail) -> tuple[str, EmailMessage]:
        assert mail.sealed is not None
        content = json.loads(self._vault.open(PURPOSE, mail.sealed, context=mail.id))
        to: str = content["to"]
        return to, self._composer.compose(mail, to=to, values=content["values"])

    def _put_off(self, mail: QueuedMail, failure: str) -> MailState:
        if mail.attempts >= self._policy.attempts:
            return self._give_up(mail, failure)
        with self._begin() as tx:
            Mails(tx).put_off(
                mail, until=self._clock() + self._policy.pause(mail.attempts), failure=failure[:80]
            )
        return MailState.WAITING

    def _give_up(self, mail: QueuedMail, failure: str) -> MailState:
        with self._begin() as tx:
            Mails(tx).bury(mail, at=self._clock(), failure=failure[:80])
        return MailState.DEAD
