"""Logging out everywhere: asked for by a portal, and told to portals.

RP-Initiated Logout 1.0 leads a browser here; Back-Channel Logout 1.0 carries the news from server to server.
A notice is written in the transaction that ends the login and delivered afterwards, again and again until the
portal has taken it, so that neither a crash nor a portal that is down loses it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from identity import tokens
from identity.login.model import Session
from identity.ports import AuditTrail, Begin, Clock, TokenKeys
from identity.provider.claims import logout_token
from identity.provider.errors import LogoutNotTrusted, PortalInvalid
from identity.provider.grant_tables import LogoutTable
from identity.provider.hints import Hint, Hints
from identity.provider.model import LogoutNotice, Portal, ProviderPolicy, is_portal_id
from identity.provider.redirects import answer_url, check_server_uri
from identity.provider.requests import Parameters
from identity.provider.tables import PortalTable, SubjectTable

TYPE: Final = "logout+jwt"
ACTOR: Final = "upkeep"
_FIRST: Final = timedelta(seconds=10)
_LONGEST: Final = timedelta(hours=2)
_BATCH: Final = 48
_SIDE_BY_SIDE: Final = 8

Send = Callable[[str, str], bool]
"""Posts a logout token to an address; true when the portal took it. Raises nothing."""


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A request whose addresses were checked. ``return_to`` is where the browser goes afterwards.

    ``is_certain``: the hint names the very login of this browser, so that nobody has to be asked.
    """

    portal: Portal | None
    return_to: str | None
    is_certain: bool


class Logouts:
    """Safe to share between threads and processes. ``read`` opens read-only transactions."""

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        hints: Hints,
        keys: TokenKeys,
        policy: ProviderPolicy,
        send: Send,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._hints = hints
        self._keys = keys
        self._policy = policy
        self._send = send

    # --- a portal asks -------------------------------------------------------------------------------

    def requested(self, parameters: Parameters, session: Session | None) -> LogoutRequest:
        """Judge a request (RP-Initiated Logout, 2 and 3).

        Raises :class:`identity.provider.errors.LogoutNotTrusted`: then nothing ends, and nobody is sent away.
        """
        if parameters.repeated:
            raise LogoutNotTrusted("A parameter is there twice.")
        # 1. Who asks.
        hint = self._hint(parameters.get("id_token_hint"))
        portal_id = parameters.get("client_id") or (hint.portal_id if hint else None)
        if hint is not None and portal_id != hint.portal_id:
            raise LogoutNotTrusted("client_id and id_token_hint name different portals.")
        with self._read() as tx:
            portal = PortalTable(tx).get(portal_id) if portal_id and is_portal_id(portal_id) else None
            sid = (
                SubjectTable(tx).known_sid(session_id=session.id, portal_id=portal.id)
                if session and portal
                else None
            )
        # 2. Where to go on: exactly a registered address.
        return_to = parameters.get("post_logout_redirect_uri")
        if return_to is not None:
            if portal is None or return_to not in portal.post_logout_redirect_uris:
                raise LogoutNotTrusted("The address to return to is not one that the portal registered.")
            state = parameters.get("state")
            return_to = answer_url(return_to, {"state": state}) if state else return_to
        # 3. Whether the person has to be asked.
        return LogoutRequest(portal, return_to, is_certain=hint is not None and hint.sid == sid)

    def _hint(self, token: str | None) -> Hint | None:
        if token is None:
            return None
        hint = self._hints.read(token)
        if hint is None:
            raise LogoutNotTrusted("The id_token_hint is not an ID token from here.")
        return hint

    # --- portals are told ----------------------------------------------------------------------------

    def deliver(self) -> int:
        """Try every notice that is due, some side by side, so that one slow portal does not hold up the rest.

        Returns how many were taken; meant to be repeated.
        """
        with self._read() as tx:
            due = LogoutTable(tx).due(self._clock(), most=_BATCH)
        if not due:
            return 0
        with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(due))) as pool:
            return sum(pool.map(self._try, due))

    def _try(self, notice: LogoutNotice) -> bool:
        # 1. Take it. Whoever dies from here on leaves it to be tried again.
        now = self._clock()
        with self._begin() as tx:
            if not LogoutTable(tx).take(notice, now, again_at=now + _pause(notice.attempts)):
                return False
            portal = PortalTable(tx).get(notice.portal_id)
        # 2. Tell. No transaction is open while a stranger's server takes its time.
        address = self._address(portal)
        if portal is None or address is None:
            self._close(notice, "not_wanted")
            return False
        said = logout_token(notice, issuer=self._policy.issuer, now=now, life=self._policy.logout_token_life)
        token = tokens.sign(said, typ=TYPE, signer=self._keys.signer(portal.id_token_algorithm))
        if self._send(address, token):
            self._close(notice, "delivered")
            return True
        # 3. Give up in the end: its tokens ended with the login in any case.
        if now - notice.created_at >= self._policy.logout_gives_up:
            self._close(notice, "given_up")
        return False

    def _address(self, portal: Portal | None) -> str | None:
        """As it is registered now, for a portal that is still one."""
        if portal is None or portal.disabled_at is not None or portal.backchannel_logout_uri is None:
            return None
        try:
            check_server_uri(portal.backchannel_logout_uri, allow_http=self._policy.allow_http)
        except PortalInvalid:  # registered in development, run in production
            return None
        return portal.backchannel_logout_uri

    def _close(self, notice: LogoutNotice, outcome: str) -> None:
        with self._begin() as tx:
            LogoutTable(tx).close(notice.id, self._clock(), outcome)
            if outcome == "given_up":
                self._audit.append(
                    tx,
                    action="portal.logout_undelivered",
                    actor=ACTOR,
                    subject=notice.portal_id,
                    facts={"notice": notice.id},
                )


def _pause(attempts: int) -> timedelta:
    """10 s, 1 min, 6 min, 36 min, then every two hours."""
    return min(_LONGEST, timedelta(seconds=_FIRST.total_seconds() * 6 ** min(attempts, 5)))
