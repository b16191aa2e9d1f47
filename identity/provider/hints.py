"""``id_token_hint``: an ID token of ours that comes back, to say whom a request means."""

from __future__ import annotations

from dataclasses import dataclass

from identity import tokens
from identity.errors import SignedTokenError
from identity.ports import TokenKeys
from identity.provider.model import Portal


@dataclass(frozen=True, slots=True)
class Hint:
    """What a genuine ID token says: for which portal, about whom, from which login."""

    portal_id: str
    subject: str
    sid: str


class Hints:
    """Reads ID tokens of ours, expired ones too: a hint is to be understood, not to be honoured."""

    def __init__(self, *, keys: TokenKeys, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer

    def read(self, token: str) -> Hint | None:
        """None for whatever is not an ID token that we signed (RP-Initiated Logout, 4)."""
        try:
            _, claims = tokens.verify(
                token, typ="JWT", keys=tokens.own_keys(self._keys), algorithms=tokens.OWN_ALGORITHMS
            )
        except SignedTokenError:
            return None
        found = [claims.get(name) for name in ("aud", "sub", "sid")]
        if claims.get("iss") != self._issuer or not all(isinstance(value, str) for value in found):
            return None
        return Hint(*(str(value) for value in found))

    def subject(self, token: str, portal: Portal) -> str | None:
        """Whom the hint means, if this portal got it."""
        hint = self.read(token)
        return hint.subject if hint and hint.portal_id == portal.id else None
