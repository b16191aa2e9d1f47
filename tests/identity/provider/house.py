"""A provider as the composition root puts it together, its portals and its people: all real, none served."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from app.audit import Audit
from app.database import Database
from identity import tokens
from identity.access import AccessTokens
from identity.agencies.authentication import AuthenticatedClient
from identity.agencies.grants import TokenRequest
from identity.agencies.model import Method
from identity.agencies.requests import Holder
from identity.factors.model import FactorKind
from identity.jwks import jwk_of
from identity.login.model import Device, Session
from identity.login.sessions import Sessions
from identity.lookups.service import Lookups
from identity.people.model import Person, PersonState, ProofingLevel, new_person_id
from identity.people.nik import Nik
from identity.people.profiles import Profiles
from identity.people.service import People
from identity.people.tables import PersonTable
from identity.ports import Vault
from identity.provider.authorizing import Answered, Authorizing
from identity.provider.granting import PortalGrants
from identity.provider.inspecting import Inspecting
from identity.provider.logout import Logouts
from identity.provider.model import Portal, PortalKind, ProviderPolicy
from identity.provider.pkce import s256
from identity.provider.portals import NewPortal, PortalRegistration, Portals
from identity.provider.requests import Parameters
from identity.provider.sharing import Sharing
from tests.identity.conftest import TokenKeys
from tests.identity.people.conftest import Post
from tests.support.clock import FrozenClock

ISSUER = "https://masuk.absah.example"
CALLBACK = "https://izin.bandung.example/callback"
LEFT = "https://izin.bandung.example/left"
BACKCHANNEL = "https://izin.bandung.example/backchannel"
PHONE = Device("103.10.66.7", "Mozilla/5.0 (Linux; Android 10; K) Chrome/142.0 Mobile Safari/537.36")
TWO_FACTORS = {FactorKind.PASSWORD, FactorKind.TOTP}

Result = TypeVar("Result")


@dataclass
class Posted:
    """What portals were told, and whether they take it."""

    takes: bool = True
    sent: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, address: str, token: str) -> bool:
        self.sent.append((address, token))
        return self.takes


@dataclass
class House:
    """``portal`` is on a server and may ask for everything; ``app`` is on people's phones."""

    database: Database
    clock: FrozenClock
    vault: Vault
    policy: ProviderPolicy
    people: People
    sessions: Sessions
    access: AccessTokens
    portals: Portals
    authorizing: Authorizing
    grants: PortalGrants
    inspecting: Inspecting
    logouts: Logouts
    sharing: Sharing
    lookups: Lookups
    posted: Posted
    post: Post
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    # --- who is there --------------------------------------------------------------------------------

    def person(
        self, *, state: PersonState = PersonState.ACTIVE, email: str = "siti@contoh.example", **changes: Any
    ) -> Person:
        values: dict[str, Any] = {
            "id": new_person_id(),
            "state": state,
            "proofing": ProofingLevel.IAL1,
            "language": "id",
            "name": "Siti Rahmawati",
            "email": email,
            "email_confirmed_at": self.clock(),
            "nik": Nik.parse("9901015702560001", samples=True),
            "birth_date": date(1956, 2, 17),
            "created_at": self.clock(),
        }
        made = Person(**values | changes)
        with self.database.begin() as tx:
            PersonTable(tx).add(Profiles(self.vault).record(made, now=self.clock()))
        return made

    def login(self, person: Person, used: set[FactorKind] | None = None) -> Session:
        with self.database.begin() as tx:
            return self.sessions.open_within(tx, person.id, used or TWO_FACTORS, PHONE).session

    def portal(self, **changes: Any) -> NewPortal:
        asked: dict[str, Any] = {
            "agency_id": "dinas",
            "name": "Izin Bandung",
            "redirect_uris": (CALLBACK,),
            "post_logout_redirect_uris": (LEFT,),
            "backchannel_logout_uri": BACKCHANNEL,
            "scopes": frozenset({"profile", "email", "birthdate", "nik", "offline_access"}),
        }
        if changes.get("kind") is not PortalKind.NATIVE and "jwks" not in changes:
            changes["jwks"] = JWKS
        return self.portals.add(PortalRegistration(**asked | changes), actor="test")

    # --- what they do --------------------------------------------------------------------------------

    def request(self, portal: Portal, **changes: str | None) -> Parameters:
        """A request that is right, but for ``changes``; None leaves a parameter out."""
        values = {
            "client_id": portal.id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid profile email",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
        } | changes
        return Parameters.of((name, value) for name, value in values.items() if value is not None)

    def agree(self, portal: Portal, session: Session, **changes: str | None) -> Answered:
        """Through the consent page where there is one."""
        outcome = self.authorizing.begin(self.request(portal, **changes), session)
        if not isinstance(outcome, Answered):
            outcome = self.authorizing.proceed(outcome.handle, session, agreed=True)
        assert isinstance(outcome, Answered), outcome
        return outcome

    def code(self, portal: Portal, session: Session, **changes: str | None) -> str:
        return self.agree(portal, session, **changes).members["code"]

    def redeem(self, portal: Portal, code: str, **changes: str) -> Mapping[str, Any]:
        form = {"code": code, "redirect_uri": CALLBACK, "code_verifier": self.verifier} | changes
        return self.grants.redeem(self.token_request(portal, form))

    def refresh(self, portal: Portal, token: str, **changes: str) -> Mapping[str, Any]:
        return self.grants.refresh(self.token_request(portal, {"refresh_token": token} | changes))

    def token_request(
        self, portal: Portal, form: Mapping[str, str], proof_key: str | None = None
    ) -> TokenRequest:
        client = AuthenticatedClient(portal.id, portal.authentication)
        return TokenRequest(client, form, Holder(proof_key))

    def tokens(self, portal: Portal, session: Session, **changes: str | None) -> Mapping[str, Any]:
        return self.redeem(portal, self.code(portal, session, **changes))

    def userinfo(self, access_token: str) -> dict[str, Any]:
        return self.inspecting.userinfo(self.access.read(access_token))

    def introspect(self, portal: Portal, token: str) -> Mapping[str, Any]:
        return self.inspecting.introspect(AuthenticatedClient(portal.id, Method.PRIVATE_KEY_JWT), token)

    def audited(self) -> list[str]:
        with self.database.read() as tx:
            return [entry.action for entry in Audit(clock=self.clock).entries(tx)]


def claims_of(token: str) -> dict[str, Any]:
    """Of a token of ours, once its signature is known to be good."""
    _, claims = tokens.verify(
        token,
        typ=("JWT", "logout+jwt"),
        keys=tokens.own_keys(TokenKeys()),
        algorithms=tokens.OWN_ALGORITHMS,
    )
    return claims


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def at_once(times: int, job: Callable[[], Result]) -> list[Result | Exception]:
    """What ``times`` callers at the same moment got, errors included."""

    def attempt(_: int) -> Result | Exception:
        try:
            return job()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(attempt, range(times)))


def _jwks() -> str:
    key = jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key(), key_id="portal-1", algorithm="ES256")
    return json.dumps({"keys": [key.as_json()]})


JWKS = _jwks()
