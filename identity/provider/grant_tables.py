"""The SQL of grants, refresh tokens, revoked access tokens and logout notices.

Whatever may happen once is a conditional UPDATE: of any number of transactions at the same time exactly one
sees its row change, on SQLite because writers queue, on PostgreSQL because the row is locked and the
condition looked at again.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, insert, or_, select, update

from identity.login.model import Acr
from identity.provider.model import Grant, LogoutNotice, Portal, RefreshToken
from identity.provider.tables import (
    PORTAL_COLUMNS,
    PORTAL_PREFIX,
    aware,
    aware_or_none,
    insert_if_absent,
    joined,
    logout_notices,
    once,
    portal_grants,
    portal_logins,
    portal_of,
    portal_subjects,
    portals,
    refresh_tokens,
    revoked_access_tokens,
)

# Statements of every request are composed once: composing takes as long as running them.
_STANDING: Final = (
    select(portal_grants, *PORTAL_COLUMNS)
    .join(portals, portals.c.id == portal_grants.c.portal_id)
    .where(
        portal_grants.c.id == bindparam("wanted"),
        portal_grants.c.revoked_at.is_(None),
        portal_grants.c.redeemed_at.is_not(None),
        portal_grants.c.expires_at > bindparam("now", type_=portal_grants.c.expires_at.type),
        portals.c.disabled_at.is_(None),
        ~select(revoked_access_tokens.c.token_id)
        .where(revoked_access_tokens.c.token_id == bindparam("presented"))
        .exists(),
    )
)


class GrantTable:
    """Grants and their codes, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, grant: Grant, *, code_hash: bytes) -> None:
        self._tx.execute(
            insert(portal_grants).values(
                id=grant.id,
                portal_id=grant.portal_id,
                person_id=grant.person_id,
                session_id=grant.session_id,
                subject=grant.subject,
                sid=grant.sid,
                scopes=joined(grant.scopes),
                is_offline=grant.is_offline,
                redirect_uri=grant.redirect_uri,
                code_challenge=grant.code_challenge,
                nonce=grant.nonce,
                acr=grant.acr.value,
                amr=" ".join(grant.amr),
                auth_time=grant.auth_time,
                proof_key=grant.proof_key,
                code_hash=code_hash,
                code_expires_at=grant.code_expires_at,
                created_at=grant.created_at,
                expires_at=grant.expires_at,
            )
        )

    def get(self, grant_id: str) -> Grant | None:
        return self._one(portal_grants.c.id == grant_id)

    def of_code(self, code_hash: bytes) -> Grant | None:
        return self._one(portal_grants.c.code_hash == code_hash)

    def redeem(self, grant_id: str, now: datetime, *, proof_key: str | None) -> bool:
        """True for exactly one caller: the code is used up, and what follows is for ``proof_key``."""
        return once(
            self._tx,
            update(portal_grants)
            .where(
                portal_grants.c.id == grant_id,
                portal_grants.c.redeemed_at.is_(None),
                portal_grants.c.revoked_at.is_(None),
            )
            .values(redeemed_at=now, proof_key=proof_key),
        )

    def standing(self, grant_id: str, token_id: str, now: datetime) -> tuple[Grant, Portal] | None:
        """Grant and portal behind an access token, if neither they nor the token were revoked. One query."""
        row = self._tx.execute(
            _STANDING, {"wanted": grant_id, "presented": token_id, "now": now}
        ).one_or_none()
        return (_grant(row), portal_of(row, PORTAL_PREFIX)) if row else None

    def revoke(self, grant_id: str, now: datetime, because: str) -> bool:
        """False when there was nothing left to revoke."""
        return self._revoke(now, because, portal_grants.c.id == grant_id) == 1

    def revoke_between(self, person_id: str, portal_id: str, now: datetime, because: str) -> int:
        return self._revoke(
            now, because, portal_grants.c.person_id == person_id, portal_grants.c.portal_id == portal_id
        )

    def revoke_of_person(self, person_id: str, now: datetime, because: str) -> int:
        return self._revoke(now, because, portal_grants.c.person_id == person_id)

    def revoke_of_portal(self, portal_id: str, now: datetime, because: str) -> int:
        return self._revoke(now, because, portal_grants.c.portal_id == portal_id)

    def revoke_online(self, session_ids: Collection[str], now: datetime, because: str) -> int:
        """Those that live no longer than the login they came from."""
        online = portal_grants.c.is_offline.is_(False)
        return self._revoke(now, because, portal_grants.c.session_id.in_(session_ids), online)

    def of_person(self, person_id: str) -> list[Grant]:
        """Newest first, ended ones included, until they are pruned."""
        query = (
            select(portal_grants)
            .where(portal_grants.c.person_id == person_id)
            .order_by(portal_grants.c.created_at.desc(), portal_grants.c.id)
        )
        return [_grant(row) for row in self._tx.execute(query)]

    def prune(self, *, unused_before: datetime, ended_before: datetime) -> None:
        """Codes that nobody redeemed, and families long ended; their refresh tokens go with them."""
        gone = or_(
            portal_grants.c.redeemed_at.is_(None) & (portal_grants.c.code_expires_at < unused_before),
            portal_grants.c.expires_at < ended_before,
            portal_grants.c.revoked_at < ended_before,
        )
        ids = select(portal_grants.c.id).where(gone)
        self._tx.execute(delete(refresh_tokens).where(refresh_tokens.c.grant_id.in_(ids)))
        self._tx.execute(delete(portal_grants).where(gone))

    def _one(self, condition: ColumnElement[bool]) -> Grant | None:
        row = self._tx.execute(select(portal_grants).where(condition)).one_or_none()
        return _grant(row) if row else None

    def _revoke(self, now: datetime, because: str, *conditions: ColumnElement[bool]) -> int:
        return self._tx.execute(
            update(portal_grants)
            .where(portal_grants.c.revoked_at.is_(None), *conditions)
            .values(revoked_at=now, revoked_because=because)
        ).rowcount


_WITH_GRANT: Final = (
    select(portal_grants, *(column.label(f"token__{column.name}") for column in refresh_tokens.columns))
    .join(refresh_tokens, refresh_tokens.c.grant_id == portal_grants.c.id)
    .where(refresh_tokens.c.token_hash == bindparam("presented"))
)
_ADD: Final = insert(refresh_tokens)
_USE: Final = (
    update(refresh_tokens)
    .where(refresh_tokens.c.token_hash == bindparam("presented"), refresh_tokens.c.used_at.is_(None))
    .values(used_at=bindparam("now"), successor_hash=bindparam("hash_of_next"), successor=bindparam("sealed"))
)


class RefreshTable:
    """Refresh tokens within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, token_hash: bytes, *, grant_id: str, issued_at: datetime, expires_at: datetime) -> None:
        self._tx.execute(
            _ADD,
            {
                "token_hash": token_hash,
                "grant_id": grant_id,
                "issued_at": issued_at,
                "expires_at": expires_at,
            },
        )

    def get(self, token_hash: bytes) -> RefreshToken | None:
        row = self._tx.execute(
            select(refresh_tokens).where(refresh_tokens.c.token_hash == token_hash)
        ).one_or_none()
        return _refresh_token(row) if row else None

    def with_grant(self, token_hash: bytes) -> tuple[RefreshToken, Grant] | None:
        """A token and its family in one query."""
        row = self._tx.execute(_WITH_GRANT, {"presented": token_hash}).one_or_none()
        return (_refresh_token(row, "token__"), _grant(row)) if row else None

    def use(self, token_hash: bytes, now: datetime, *, successor_hash: bytes, successor: bytes) -> bool:
        """True for exactly one caller. ``successor`` is sealed."""
        return once(
            self._tx,
            _USE,
            {"presented": token_hash, "now": now, "hash_of_next": successor_hash, "sealed": successor},
        )

    def take_batch(self, batch: str, *, most: int) -> list[RefreshToken]:
        """Uses that the audit trail has not heard of, oldest first; from now on they belong to ``batch``.

        Of several at once each takes others. A use that is committed later is in a later batch.
        """
        new = (
            select(refresh_tokens.c.token_hash)
            .where(refresh_tokens.c.batch.is_(None), refresh_tokens.c.used_at.is_not(None))
            .order_by(refresh_tokens.c.used_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        taken = (
            update(refresh_tokens)
            .where(refresh_tokens.c.token_hash.in_(new.scalar_subquery()))
            .values(batch=batch)
            .returning(*refresh_tokens.columns)
        )
        tokens = [_refresh_token(row) for row in self._tx.execute(taken)]
        return sorted(tokens, key=lambda token: (token.used_at, token.token_hash))

    def of_batch(self, batch: str) -> list[RefreshToken]:
        """In the order of :meth:`take_batch`; those whose families were forgotten since are missing."""
        query = select(refresh_tokens).where(refresh_tokens.c.batch == batch)
        tokens = [_refresh_token(row) for row in self._tx.execute(query)]
        return sorted(tokens, key=lambda token: (token.used_at, token.token_hash))

    def forget_successors(self, used_before: datetime) -> None:
        """After the grace nobody gets a successor again, so that it need not be kept."""
        self._tx.execute(
            update(refresh_tokens)
            .where(refresh_tokens.c.used_at < used_before, refresh_tokens.c.successor.is_not(None))
            .values(successor=None)
        )


class RevokedTokenTable:
    """Access tokens that were revoked one by one, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, token_id: str, expires_at: datetime) -> bool:
        """False when it was revoked before."""
        return insert_if_absent(
            self._tx, revoked_access_tokens, {"token_id": token_id, "expires_at": expires_at}
        )

    def prune(self, expired_before: datetime) -> None:
        self._tx.execute(
            delete(revoked_access_tokens).where(revoked_access_tokens.c.expires_at < expired_before)
        )


class LogoutTable:
    """Which login is known to which portal, and which portals are still to be told of its end."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def end_sessions(self, session_ids: Collection[str], now: datetime) -> None:
        self._end(portal_logins.c.session_id.in_(session_ids), now)

    def end_between(self, person_id: str, portal_id: str, now: datetime) -> None:
        self._end((portal_logins.c.person_id == person_id) & (portal_logins.c.portal_id == portal_id), now)

    def end_of_person(self, person_id: str, now: datetime) -> None:
        self._end(portal_logins.c.person_id == person_id, now)

    def due(self, now: datetime, *, most: int) -> list[LogoutNotice]:
        """Whose time has come, the oldest first."""
        query = (
            select(logout_notices)
            .where(logout_notices.c.ended_at.is_(None), logout_notices.c.due_at <= now)
            .order_by(logout_notices.c.due_at, logout_notices.c.id)
            .limit(most)
        )
        return [_notice(row) for row in self._tx.execute(query)]

    def take(self, notice: LogoutNotice, now: datetime, *, again_at: datetime) -> bool:
        """True for exactly one caller, who then tries. If it dies, somebody else does at ``again_at``."""
        return once(
            self._tx,
            update(logout_notices)
            .where(
                logout_notices.c.id == notice.id,
                logout_notices.c.attempts == notice.attempts,
                logout_notices.c.ended_at.is_(None),
                logout_notices.c.due_at <= now,
            )
            .values(attempts=notice.attempts + 1, due_at=again_at),
        )

    def close(self, notice_id: str, now: datetime, outcome: str) -> None:
        """Delivered, or given up."""
        self._tx.execute(
            update(logout_notices)
            .where(logout_notices.c.id == notice_id, logout_notices.c.ended_at.is_(None))
            .values(ended_at=now, outcome=outcome)
        )

    def prune(self, *, ended_before: datetime, begun_before: datetime) -> None:
        """``begun_before``: a login that old has ended long ago, by its absolute limit."""
        self._tx.execute(delete(logout_notices).where(logout_notices.c.ended_at < ended_before))
        self._tx.execute(delete(portal_logins).where(portal_logins.c.created_at < begun_before))

    def _end(self, condition: ColumnElement[bool], now: datetime) -> None:
        """Take the logins away; queue a notice for each portal that wants to be told."""
        wanting = select(portal_logins, portal_subjects.c.subject).join(
            portals, portals.c.id == portal_logins.c.portal_id
        ).join(
            portal_subjects,
            (portal_subjects.c.sector == portals.c.sector)
            & (portal_subjects.c.person_id == portal_logins.c.person_id),
        ).where(
            condition, portals.c.backchannel_logout_uri.is_not(None), portals.c.disabled_at.is_(None)
        )  # fmt: skip
        notices = [
            {
                "id": secrets.token_urlsafe(16),
                "portal_id": row.portal_id,
                "subject": row.subject,
                "sid": row.sid,
                "created_at": now,
                "due_at": now,
                "attempts": 0,
            }
            for row in self._tx.execute(wanting)
        ]
        if notices:
            self._tx.execute(insert(logout_notices), notices)
        self._tx.execute(delete(portal_logins).where(condition))


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        id=row.id,
        portal_id=row.portal_id,
        person_id=row.person_id,
        session_id=row.session_id,
        subject=row.subject,
        sid=row.sid,
        scopes=frozenset(row.scopes.split()),
        redirect_uri=row.redirect_uri,
        code_challenge=row.code_challenge,
        nonce=row.nonce,
        acr=Acr(row.acr),
        amr=tuple(row.amr.split()),
        auth_time=aware(row.auth_time),
        proof_key=row.proof_key,
        code_expires_at=aware(row.code_expires_at),
        created_at=aware(row.created_at),
        expires_at=aware(row.expires_at),
        redeemed_at=aware_or_none(row.redeemed_at),
        revoked_at=aware_or_none(row.revoked_at),
    )


def _refresh_token(row: Row[Any], prefix: str = "") -> RefreshToken:
    values = row._mapping
    successor_hash, successor = values[f"{prefix}successor_hash"], values[f"{prefix}successor"]
    return RefreshToken(
        token_hash=bytes(values[f"{prefix}token_hash"]),
        grant_id=values[f"{prefix}grant_id"],
        issued_at=aware(values[f"{prefix}issued_at"]),
        expires_at=aware(values[f"{prefix}expires_at"]),
        used_at=aware_or_none(values[f"{prefix}used_at"]),
        successor_hash=None if successor_hash is None else bytes(successor_hash),
        successor=None if successor is None else bytes(successor),
    )


def _notice(row: Row[Any]) -> LogoutNotice:
    return LogoutNotice(row.id, row.portal_id, row.subject, row.sid, aware(row.created_at), row.attempts)
