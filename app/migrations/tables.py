"""The tables of every slice, for drafting migrations and for the test that nothing was forgotten."""

from __future__ import annotations

from sqlalchemy import MetaData

from app import audit
from app.compromise import tables as compromise
from app.rotation import destruction_tables as destructions
from app.rotation import tables as rotation
from app.trail import anchors
from ca import tables as ca
from identity import tables as identity
from identity.agencies import proposal_tables as proposals
from identity.agencies import tables as agencies
from identity.factors import passkey_tables as passkeys
from identity.factors import tables as factors
from identity.login import delay_tables as delays
from identity.login import recovery_tables as recoveries
from identity.login import tables as login
from identity.lookups import tables as lookups
from identity.mail import tables as mail
from identity.operators import tables as operators
from identity.people import tables as people
from identity.provider import tables as provider
from keys import approval_tables as approvals
from keys import tables as keys
from keys import usage_tables as key_usage
from signing import tables as signing

_PARTS_OF_IDENTITY = (
    agencies,
    factors,
    delays,
    login,
    lookups,
    mail,
    operators,
    passkeys,
    people,
    proposals,
    provider,
    recoveries,
)
"""They hang their tables on the metadata of their slice by being imported."""

_PARTS_OF_THE_TRAIL = (anchors,)
_PARTS_OF_KEYS = (approvals, key_usage)
_PARTS_OF_ROTATION = (destructions,)


def all_metadata() -> list[MetaData]:
    """In an order in which they can be created."""
    return [
        audit.metadata,
        keys.metadata,
        ca.metadata,
        identity.metadata,
        signing.metadata,
        compromise.metadata,
        rotation.metadata,
    ]
