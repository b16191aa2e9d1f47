"""Which client is asking: one way for the token endpoint, pushed requests, introspection and revocation.

Agencies' systems and portals register apart; each registry is a :class:`Directory` here.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import unquote_plus

from sqlalchemy import Connection

from identity.agencies.assertions import ASSERTION_TYPE, claimed_client, read_assertion
from identity.agencies.errors import AssertionRefused, SecretsForDevelopment
from identity.agencies.model import (
    NO_CLIENT_HASH,
    AgencyPolicy,
    Client,
    Method,
    is_client_id,
    secret_matches,
)
from identity.agencies.once import OnceOnly
from identity.agencies.tables import ClientTable
from identity.errors import ClientNotAuthenticated, TokenRequestInvalid, TooManyAttempts
from identity.jwks import FAPI_ALGORITHMS, parse_jwk
from identity.login.errors import LoginDelayed
from identity.login.throttle import Charge, Key, Throttle, address_charge
from identity.ports import Begin, Clock
from identity.tokens import VerificationKey, verification_key

_LONGEST_ID: Final = 64


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is registered about how an active client proves who it is."""

    client_id: str
    methods: frozenset[Method]
    keys: Mapping[str, VerificationKey] = field(default_factory=dict)
    secret_hash: bytes | None = field(default=None, repr=False)
    algorithms: tuple[str, ...] = FAPI_ALGORITHMS
    client: Client | None = None
    """The registration itself, where it is an agency's system."""


Directory = Callable[[Connection, str, Clock], Credentials | None]
"""Looks a client up by its id. None where it is not this registry's, unknown, or disabled."""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """The parts of a request that say who asks. ``address`` is where it came from."""

    authorization: str | None
    form: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """Who asks, and how that is known. With method ``none`` it is only said, not known."""

    id: str
    method: Method
    client: Client | None = field(default=None, repr=False)
    """The registration as it was found a moment ago, of an agency's system only."""


class ClientAuthentication:
    """Safe to share between threads. ``issuer`` is the only audience that an assertion may have."""

    def __init__(
        self,
        *,
        read: Begin,
        clock: Clock,
        once: OnceOnly,
        directories: Sequence[Directory],
        issuer: str,
        policy: AgencyPolicy,
        throttle: Throttle,
    ) -> None:
        self._read = read
        self._clock = clock
        self._once = once
        self._directories = tuple(directories)
        self._issuer = issuer
        self._policy = policy
        self._throttle = throttle

    def authenticate(self, request: ClientRequest) -> AuthenticatedClient:
        """Raises :class:`identity.errors.TokenRequestInvalid`, ``ClientNotAuthenticated``,
        ``TooManyAttempts``, or :class:`identity.agencies.errors.AssertionRefused` or
        ``SecretsForDevelopment``.
        """
        form = request.form
        ways = [
            request.authorization is not None,
            "client_secret" in form,
            "client_assertion" in form or "client_assertion_type" in form,
        ]
        if sum(ways) > 1:
            raise TokenRequestInvalid(
                "Authenticate in one way: HTTP Basic, client_secret or client_assertion (RFC 6749, 2.3)."
            )
        if ways[2]:
            return self._by_assertion(form)
        if request.authorization is not None:
            client_id, secret = _basic(request.authorization, form)
            return self._by_secret(client_id, secret, Method.SECRET_BASIC, request.address)
        if form.get("client_secret"):
            client_id, secret = form.get("client_id", ""), form["client_secret"]
            return self._by_secret(client_id, secret, Method.SECRET_POST, request.address)
        return self._by_name(form.get("client_id", ""))

    def _by_assertion(self, form: Mapping[str, str]) -> AuthenticatedClient:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenRequestInvalid(f"client_assertion_type must be {ASSERTION_TYPE} (RFC 7523, 2.2).")
        assertion = form.get("client_assertion", "")
        client_id = claimed_client(assertion)
        if form.get("client_id", client_id) != client_id:
            raise AssertionRefused("client_id and the client assertion's sub name different clients.")
        credentials = self._find(client_id)
        if credentials is None or Method.PRIVATE_KEY_JWT not in credentials.methods:
            raise AssertionRefused("The client assertion names no active client that registered keys.")
        read = read_assertion(
            assertion,
            client_id=client_id,
            keys=credentials.keys,
            algorithms=credentials.algorithms,
            issuer=self._issuer,
            now=self._clock(),
            policy=self._policy,
        )
        if not self._once.is_first(read.digest, read.expires_at):
            raise AssertionRefused("The client assertion was used before. Make a new one for every request.")
        return AuthenticatedClient(client_id, Method.PRIVATE_KEY_JWT, credentials.client)

    def _by_secret(self, client_id: str, secret: str, method: Method, address: str) -> AuthenticatedClient:
        if not self._policy.secrets_allowed:
            raise SecretsForDevelopment
        # An unknown or disabled client costs the same work as a wrong secret.
        credentials = self._find(client_id)
        expected = credentials.secret_hash if credentials and method in credentials.methods else None
        matches = secret_matches(secret, expected or NO_CLIENT_HASH)
        if credentials is None or expected is None or not matches:
            self._refuse(client_id, address)
        return AuthenticatedClient(client_id, method, credentials.client)

    def _refuse(self, client_id: str, address: str) -> NoReturn:
        """Wrong secrets are slowed down for the work that they cause: nobody guesses 256 random bits.

        Only wrong ones are: a right secret goes through however many wrong ones came before it, so that
        nobody locks a client out by naming it.
        """
        try:
            self._throttle.take(
                Charge(Key.CLIENT, f"{client_id[:_LONGEST_ID]} {address}"), address_charge(address)
            )
        except LoginDelayed as delayed:
            raise TooManyAttempts(retry_after=delayed.retry_after) from delayed
        raise ClientNotAuthenticated

    def _by_name(self, client_id: str) -> AuthenticatedClient:
        credentials = self._find(client_id)
        if credentials is None or Method.NONE not in credentials.methods:
            raise ClientNotAuthenticated
        return AuthenticatedClient(client_id, Method.NONE)

    def _find(self, client_id: str) -> Credentials | None:
        with self._read() as tx:
            for directory in self._directories:
                credentials = directory(tx, client_id, self._clock)
                if credentials is not None:
                    return credentials
        return None


def agency_clients(tx: Connection, client_id: str, clock: Clock) -> Credentials | None:
    """The :class:`Directory` of agencies' systems."""
    if not is_client_id(client_id):
        return None
    found = ClientTable(tx).with_keys(client_id, clock())
    if found is None or found[0].disabled_at is not None:
        return None
    client, keys = found
    if client.secret_hash is not None:
        secrets = frozenset({Method.SECRET_BASIC, Method.SECRET_POST})
        return Credentials(client_id, secrets, secret_hash=client.secret_hash, client=client)
    by_keys = frozenset({Method.PRIVATE_KEY_JWT})
    key_set = _key_set(tuple(sorted(key.jwk for key in keys)))
    return Credentials(client_id, by_keys, keys=key_set, client=client)


def key_set(jwks: str) -> Mapping[str, VerificationKey]:
    """A stored JWK Set, ready to verify, by ``kid``. Each set is constructed once while it is in use."""
    return _key_set(tuple(json.dumps(key, sort_keys=True) for key in json.loads(jwks)["keys"]))


@lru_cache(maxsize=2048)
def _key_set(keys: tuple[str, ...]) -> Mapping[str, VerificationKey]:
    parsed = [parse_jwk(json.loads(key), algorithms=FAPI_ALGORITHMS) for key in keys]
    return {key.key_id or key.thumbprint: verification_key(key) for key in parsed}


def _basic(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise ClientNotAuthenticated
    try:
        user, colon, password = (
            base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        )
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ClientNotAuthenticated from None
    if not colon:
        raise ClientNotAuthenticated
    # The two are form-encoded before they are joined (RFC 6749, 2.3.1).
    client_id = unquote_plus(user)
    if form.get("client_id", client_id) != client_id:
        raise TokenRequestInvalid("HTTP Basic and the form name different clients.")
    return client_id, unquote_plus(password)
