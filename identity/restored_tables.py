"""The SQL that makes a restored database safe: what was used up or ended after the backup must not work
again."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, case, delete, update

from identity.factors.passkey_tables import passkey_challenges
from identity.factors.tables import recovery_codes, totp_setups, totps
from identity.login.recovery_tables import recoveries, repudiations
from identity.login.tables import half_sessions, known_devices, sessions
from identity.people.tables import person_codes
from identity.provider.tables import portal_flows, portal_grants

_ENDED: Final[dict[str, Table]] = {
    "logins": sessions,
    "logins under way": half_sessions,
    "known devices": known_devices,
    "recoveries under way": recoveries,
    "links to object": repudiations,
    "codes sent by mail or given at counters": person_codes,
    "recovery codes": recovery_codes,
    "one-time code apps being set up": totp_setups,
    "passkey questions": passkey_challenges,
    "requests of portals": portal_flows,
}
"""Nobody can tell which of these were used, or ended, between the backup and the restore. All of them end."""
_BECAUSE: Final = "restored"


def end_what_may_be_used_up(tx: Connection, *, now: datetime, time_step: int) -> dict[str, int]:
    """End sessions, grants and everything that counts once; how many of each there were.

    ``time_step`` is that of one-time codes now (RFC 6238): codes shown up to here are taken for used.
    """
    ended = {name: tx.execute(delete(table)).rowcount for name, table in _ENDED.items()}
    revoked = (
        update(portal_grants)
        .where(portal_grants.c.revoked_at.is_(None))
        .values(revoked_at=now, revoked_because=_BECAUSE)
    )
    ended["grants of portals"] = tx.execute(revoked).rowcount
    later = case((totps.c.last_step < time_step, time_step), else_=totps.c.last_step)
    tx.execute(update(totps).values(last_step=later))
    return ended
