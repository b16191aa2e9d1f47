"""How fast wrong answers may come: per account, per factor, per address, in SQL for all processes together.

An attempt is paid for before the answer is looked at, in one conditional statement per key, and given back
when the answer was right. However many requests come at the same moment, no more are looked at than the pace
allows. Nothing here locks anybody out for good:

- a key stays open for ``free`` wrong answers, then closes for ``first``, twice that, and so on to ``most``;
- one wrong answer is forgiven every ``forgive``, which is the lasting rate of guessing;
- a device that the person logged in from before has a key of its own (OWASP, "Slow Down Online Guessing
  Attacks with Device Cookies"): whoever closes an account to strangers does not close it to its owner.

NIST SP 800-63B-4, 3.2.2 wants no more than 100 wrong answers in a row: at the paces below whoever guesses
needs four days for them, and is noticed by their owner long before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address
from typing import Final

from sqlalchemy import Connection

from identity.login.delay_tables import DelayTable
from identity.login.devices import parse_address
from identity.login.errors import LoginDelayed
from identity.ports import Begin, Clock, Vault

_PURPOSE: Final = "throttle"
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Pace:
    """``free`` wrong answers cost nothing; each one more closes the key twice as long as the one before."""

    free: int
    forgive: timedelta
    first: timedelta
    most: timedelta


class Key(StrEnum):
    """What attempts are counted by; :class:`ThrottlePolicy` has a pace for each."""

    FACTOR = "factor"  # one kind of factor of one account
    ACCOUNT = "account"  # second factors of one account, whatever their kind
    DEVICE = "device"  # one known device of one account, instead of the other three
    ADDRESS = "address"
    MAIL = "mail"  # mails that anybody can have sent to one account
    CLIENT = "client"  # an agency's system
    CHALLENGE = "challenge"  # challenges for passkeys that anybody can have made, by address
    SEARCH = "search"  # one operator's questions whether somebody has an account


@dataclass(frozen=True, slots=True)
class ThrottlePolicy:
    """Paces by key. Addresses leave room for the many people behind one provider's translated address."""

    account: Pace = Pace(10, timedelta(hours=1), timedelta(seconds=30), timedelta(hours=1))
    factor: Pace = Pace(5, timedelta(hours=1), timedelta(seconds=30), timedelta(hours=1))
    device: Pace = Pace(10, timedelta(minutes=10), timedelta(seconds=10), timedelta(minutes=15))
    address: Pace = Pace(100, timedelta(seconds=1), timedelta(seconds=1), timedelta(minutes=1))
    mail: Pace = Pace(3, timedelta(hours=1), timedelta(minutes=5), timedelta(hours=1))
    client: Pace = Pace(10, timedelta(seconds=6), timedelta(seconds=6), timedelta(minutes=1))
    challenge: Pace = Pace(600, timedelta(seconds=1), timedelta(seconds=1), timedelta(seconds=10))
    search: Pace = Pace(40, timedelta(minutes=1), timedelta(seconds=10), timedelta(minutes=15))

    def of(self, key: Key) -> Pace:
        pace: Pace = getattr(self, key.value)
        return pace


@dataclass(frozen=True, slots=True)
class Charge:
    """``name`` says which account, factor, device, address or client. Only a keyed fingerprint is kept."""

    key: Key
    name: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A charge that was taken, and until when (ms since 1970) it closed its key."""

    charge: Charge
    fingerprint: bytes
    closed_until: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to have one answer looked at."""

    paid: tuple[Paid, ...]


class Throttle:
    """Safe to share between threads and processes."""

    def __init__(
        self, *, begin: Begin, clock: Clock, vault: Vault, policy: ThrottlePolicy | None = None
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._vault = vault
        self._policy = policy or ThrottlePolicy()

    def take(self, *charges: Charge) -> Ticket:
        """Pay for one attempt, on all keys or on none.

        Raises :class:`identity.login.errors.LoginDelayed` while one of them is closed.
        """
        now = self._now()
        # One order for everybody, so that two attempts never wait for each other's rows.
        prints = sorted(
            (self._vault.fingerprint(_PURPOSE, f"{charge.key} {charge.name}"), charge) for charge in charges
        )
        paid = []
        with self._begin() as tx:
            table = DelayTable(tx)
            for fingerprint, charge in prints:
                pace = self._policy.of(charge.key)
                closed_until = table.take(
                    fingerprint,
                    now=now,
                    free=pace.free,
                    forgive=pace.forgive // _MILLISECOND,
                    first=pace.first // _MILLISECOND,
                    most=pace.most // _MILLISECOND,
                )
                if closed_until is None:
                    # Raised inside, so that what other keys paid is rolled back.
                    raise LoginDelayed(retry_after=-(-(table.closed_until(fingerprint) - now) // 1000) or 1)
                paid.append(Paid(charge, fingerprint, closed_until))
        return Ticket(tuple(paid))

    def give_back(self, tx: Connection, ticket: Ticket, *, clear: Collection[Key] = ()) -> None:
        """The answer was right, or was not looked at. Keys of the kinds in ``clear`` forget everything.

        A key is opened again only if this very attempt closed it: a right answer takes back its own price,
        not that of somebody's wrong ones.
        """
        table = DelayTable(tx)
        for paid in ticket.paid:
            if paid.charge.key in clear:
                table.forget(paid.fingerprint)
            else:
                forgive = self._policy.of(paid.charge.key).forgive // _MILLISECOND
                table.give_back(paid.fingerprint, forgive=forgive, closed_until=paid.closed_until)

    def forget_over(self) -> int:
        """Drop keys that owe nothing any more. Returns how many."""
        with self._begin() as tx:
            return DelayTable(tx).forget_over(self._now())

    def _now(self) -> int:
        return (self._clock() - _EPOCH) // _MILLISECOND


def address_charge(address: str) -> Charge:
    """By network where one customer holds more than an address: an IPv6 customer gets at least a /64."""
    parsed = parse_address(address)
    if parsed is None:
        return Charge(Key.ADDRESS, address[:64])
    if isinstance(parsed, IPv6Address):
        parsed = IPv6Address(int(parsed) >> 64 << 64)
    return Charge(Key.ADDRESS, str(parsed))
