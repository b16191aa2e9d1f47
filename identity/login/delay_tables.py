"""All SQL of the throttle: how much each key owes, in milliseconds since 1970, counted by the database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    Table,
    bindparam,
    case,
    delete,
    select,
    text,
    update,
)

from identity.tables import metadata

delays = Table(
    "login_delays",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),  # a keyed fingerprint
    Column("arrears_until", BigInteger, nullable=False),
    # 0 while open, never a time of now: of two attempts at once, the one that asked the clock first may come
    # second, and must not find a key closed that nobody closed.
    Column("closed_until", BigInteger, nullable=False),
    Index("ix_login_delays_arrears_until", "arrears_until"),
)

_TAKE = text(
    """
    INSERT INTO login_delays AS d (key, arrears_until, closed_until)
    VALUES (:key, CAST(:now AS BIGINT) + :forgive, 0)
    ON CONFLICT (key) DO UPDATE SET
        arrears_until = CASE WHEN d.arrears_until > :now THEN d.arrears_until ELSE :now END + :forgive,
        closed_until = CASE
            WHEN d.arrears_until <= :settled THEN 0
            WHEN d.arrears_until > :slowest THEN CAST(:now AS BIGINT) + :most
            ELSE CAST(:now AS BIGINT)
                + (CAST(:first AS BIGINT) << CAST((d.arrears_until - :settled - 1) / :forgive AS INTEGER))
        END
    WHERE d.closed_until <= :now
    RETURNING closed_until
    """
)


_GIVE_BACK: Final = (
    update(delays)
    .where(delays.c.key == bindparam("wanted"))
    .values(
        arrears_until=delays.c.arrears_until - bindparam("forgive"),
        closed_until=case((delays.c.closed_until == bindparam("closed"), 0), else_=delays.c.closed_until),
    )
)
_FORGET: Final = delete(delays).where(delays.c.key == bindparam("wanted"))


class DelayTable:
    """Keys within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def take(self, key: bytes, *, now: int, free: int, forgive: int, first: int, most: int) -> int | None:
        """Charge one attempt; returns until when that closes the key, or None where it is closed already.

        Nothing closes while no more than ``free`` attempts are owed. Each one more doubles ``first``.
        """
        settled = now + (free - 1) * forgive
        doublings = (most // first).bit_length() - 1
        values = {
            "key": key,
            "now": now,
            "forgive": forgive,
            "settled": settled,
            "slowest": settled + (doublings + 1) * forgive,
            "first": first,
            "most": most,
        }
        return self._tx.execute(_TAKE, values).scalar_one_or_none()

    def closed_until(self, key: bytes) -> int:
        """0 for a key that nobody was charged by."""
        query = select(delays.c.closed_until).where(delays.c.key == key)
        return self._tx.execute(query).scalar_one_or_none() or 0

    def give_back(self, key: bytes, *, forgive: int, closed_until: int) -> None:
        """Take one attempt back, and what it alone closed is open again."""
        self._tx.execute(_GIVE_BACK, {"wanted": key, "forgive": forgive, "closed": closed_until})

    def forget(self, key: bytes) -> None:
        self._tx.execute(_FORGET, {"wanted": key})

    def forget_over(self, now: int) -> int:
        """Keys that are open and owe nothing."""
        return self._tx.execute(
            delete(delays).where(delays.c.arrears_until <= now, delays.c.closed_until <= now)
        ).rowcount
