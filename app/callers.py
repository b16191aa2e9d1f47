"""Who calls: agencies' systems and their tokens, put together from settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network

from app.audit import Audit
from app.clock import Clock
from app.database import Database
from app.policies import agency_policy, policy_from
from app.settings import Settings
from identity.access import AccessTokens
from identity.agencies.authentication import ClientAuthentication, Directory, agency_clients
from identity.agencies.dpop import Proofs
from identity.agencies.grants import CLIENT_CREDENTIALS, ClientCredentials, Grant, Grants
from identity.agencies.mtls import CertificateHeader
from identity.agencies.news import ClientNews
from identity.agencies.once import OnceOnly
from identity.agencies.presenting import TokenGate
from identity.agencies.requests import RequestReader
from identity.agencies.service import Agencies
from identity.login.throttle import Throttle, ThrottlePolicy
from identity.ports import TokenKeys, Vault


@dataclass(frozen=True, slots=True)
class Callers:
    """``reader`` and ``gate`` are what every guard and every endpoint of ``/oauth2`` goes through."""

    agencies: Agencies
    tokens: AccessTokens
    once: OnceOnly
    reader: RequestReader
    gate: TokenGate
    grants: Grants


def build_tokens(settings: Settings, *, keys: TokenKeys, clock: Clock) -> AccessTokens:
    return AccessTokens(
        keys=keys,
        clock=clock,
        issuer=settings.issuer,
        audience=settings.public_url,
        lifetime=timedelta(seconds=settings.identity.token_seconds),
    )


def build_callers(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    audit: Audit,
    vault: Vault,
    tokens: AccessTokens,
    news: ClientNews,
    directories: Sequence[Directory] = (),
    grants: Mapping[str, Grant] | None = None,
) -> Callers:
    """``directories`` and ``grants`` are those of others than agencies' systems."""
    policy = agency_policy(settings)
    once = OnceOnly(begin=database.begin, clock=clock)
    proofs = Proofs(
        once=once,
        clock=clock,
        vault=vault,
        origins={settings.public_url, settings.issuer},
        policy=policy,
    )
    authentication = ClientAuthentication(
        read=database.read,
        clock=clock,
        once=once,
        directories=(agency_clients, *directories),
        issuer=settings.issuer,
        policy=policy,
        throttle=Throttle(
            begin=database.begin,
            clock=clock,
            vault=vault,
            policy=policy_from(settings.throttle, ThrottlePolicy),
        ),
    )
    own_grant = ClientCredentials(tokens)
    return Callers(
        agencies=Agencies(
            begin=database.begin, read=database.read, clock=clock, audit=audit, policy=policy, news=news
        ),
        tokens=tokens,
        once=once,
        reader=RequestReader(
            authentication=authentication, proofs=proofs, certificates=_certificates(settings)
        ),
        gate=TokenGate(tokens=tokens, proofs=proofs),
        grants=Grants({CLIENT_CREDENTIALS: own_grant, **(grants or {})}),
    )


def _certificates(settings: Settings) -> CertificateHeader | None:
    name = settings.identity.certificate_header
    if name is None:
        return None
    return CertificateHeader(
        name, tuple(ip_network(network) for network in settings.identity.trusted_proxies.split())
    )
