"""What mail needs from the outside: somebody who carries finished messages away."""

from __future__ import annotations

from contextlib import AbstractContextManager
from email.message import EmailMessage
from typing import Protocol


class Round(Protocol):
    """One connection to the mail server, or whatever stands in for it."""

    def hand_over(self, message: EmailMessage, *, to: str) -> None:
        """Returns once somebody else is responsible for the message (RFC 5321, 4.2.5).

        Raises ``MailRefused``, ``MailDeferred`` or ``MailServerUnavailable`` of :mod:`identity.mail.errors`;
        after the last of them the round is over.
        """
        ...


class Carrier(Protocol):
    """Where mails go. Safe to share between threads; a round belongs to one."""

    def round(self) -> AbstractContextManager[Round]:
        """Raises :class:`identity.mail.errors.MailServerUnavailable` on entry."""
        ...
