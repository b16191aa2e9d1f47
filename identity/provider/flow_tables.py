"""The SQL of flows: requests that wait for a person."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from identity.login.model import Acr
from identity.provider.model import AuthorizationRequest, Flow, Prompt, ResponseMode
from identity.provider.tables import aware, once, portal_flows


class FlowTable:
    """Requests that wait for a person, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, flow: Flow, *, pushed: bool) -> None:
        self._tx.execute(
            insert(portal_flows).values(
                handle_hash=flow.handle_hash,
                portal_id=flow.request.portal_id,
                request=_request_json(flow.request),
                created_at=flow.created_at,
                expires_at=flow.expires_at,
                pushed=pushed,
            )
        )

    def open(self, handle_hash: bytes, now: datetime) -> Flow | None:
        """A flow whose browser has come, that has not expired and was not answered."""
        row = self._tx.execute(
            select(portal_flows).where(
                portal_flows.c.handle_hash == handle_hash,
                portal_flows.c.pushed.is_(False),
                portal_flows.c.answered_at.is_(None),
                portal_flows.c.expires_at > now,
            )
        ).one_or_none()
        return _flow(row) if row else None

    def begin_pushed(self, handle_hash: bytes, portal_id: str, now: datetime, expires_at: datetime) -> None:
        """The browser has come with the ``request_uri``: from now on a person's time counts.

        Its page may be loaded again (FAPI 2.0 Security Profile, 5.3.2.2, note 3): what happens once is the
        answer. A second coming does not prolong it.
        """
        self._tx.execute(
            update(portal_flows)
            .where(
                portal_flows.c.handle_hash == handle_hash,
                portal_flows.c.portal_id == portal_id,
                portal_flows.c.pushed.is_(True),
                portal_flows.c.expires_at > now,
            )
            .values(pushed=False, created_at=now, expires_at=expires_at)
        )

    def answer(self, handle_hash: bytes, now: datetime) -> bool:
        """True for exactly one caller, who then sends the answer."""
        return once(
            self._tx,
            update(portal_flows)
            .where(
                portal_flows.c.handle_hash == handle_hash,
                portal_flows.c.pushed.is_(False),
                portal_flows.c.answered_at.is_(None),
                portal_flows.c.expires_at > now,
            )
            .values(answered_at=now),
        )

    def prune(self, expired_before: datetime) -> None:
        self._tx.execute(delete(portal_flows).where(portal_flows.c.expires_at < expired_before))


def _flow(row: Row[Any]) -> Flow:
    return Flow(
        handle_hash=bytes(row.handle_hash),
        request=_request(json.loads(row.request)),
        created_at=aware(row.created_at),
        expires_at=aware(row.expires_at),
    )


def _request_json(request: AuthorizationRequest) -> str:
    values = asdict(request)
    for words in ("scopes", "prompts"):
        values[words] = sorted(values[words])
    return json.dumps(values, separators=(",", ":"))


def _request(values: dict[str, Any]) -> AuthorizationRequest:
    return AuthorizationRequest(
        **values
        | {
            "response_mode": ResponseMode(values["response_mode"]),
            "scopes": frozenset(values["scopes"]),
            "prompts": frozenset(Prompt(word) for word in values["prompts"]),
            "acr_values": tuple(Acr(value) for value in values["acr_values"]),
            "ui_locales": tuple(values["ui_locales"]),
        }
    )
