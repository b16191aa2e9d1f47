"""A rotation as a fact, and the rules of how each purpose changes its key. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ca.model import ProfileName
from keys.model import KeyAlgorithm, KeyPurpose


class Phase(StrEnum):
    """How far a rotation has come. Values are stored and shown."""

    BEGUN = "begun"
    GENERATED = "generated"
    CERTIFIED = "certified"
    PROVED = "proved"
    SWITCHED = "switched"
    DONE = "done"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


BEFORE_SWITCH: Final = (Phase.BEGUN, Phase.GENERATED, Phase.CERTIFIED, Phase.PROVED)
UNFINISHED: Final = (*BEFORE_SWITCH, Phase.SWITCHED)
CALLED_OFF: Final = frozenset({Phase.CANCELLING, Phase.CANCELLED})

_ORDER: Final = (*UNFINISHED, Phase.DONE)


def origins(phase: Phase) -> tuple[Phase, ...]:
    """From where a rotation comes to ``phase``: it only moves on. Before its end it may fail, and while its
    new key waits to be certified it may be called off."""
    match phase:
        case Phase.FAILED:
            return (*UNFINISHED, Phase.CANCELLING)
        case Phase.CANCELLING:
            return (Phase.GENERATED,)
        case Phase.CANCELLED:
            return (Phase.CANCELLING,)
        case _:
            return _ORDER[: _ORDER.index(phase)]


@dataclass(frozen=True, slots=True)
class Rotation:
    """``id`` is that of the approved request. ``keys`` are the new ones: one, or one for each algorithm.

    ``retire_at`` is when the predecessors stop signing; ``detail`` says in a line how it ended, or what it
    waits for.
    """

    id: str
    purpose: KeyPurpose
    owner: str
    phase: Phase
    requester: str
    began_at: datetime
    keys: tuple[str, ...] = ()
    switched_at: datetime | None = None
    retire_at: datetime | None = None
    ended_at: datetime | None = None
    detail: str = ""

    @property
    def waits_for_people(self) -> bool:
        """Whether somebody has to bring something, as the certificate from a ceremony."""
        return self.phase is Phase.GENERATED and bool(self.detail)

    @property
    def use(self) -> str:
        """For messages: what the key is for and whose it is."""
        return named_use(self.purpose, self.owner)


def named_use(purpose: KeyPurpose, owner: str) -> str:
    return f"{purpose} of {owner}" if owner else f"{purpose}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How keys of one purpose change.

    ``profile`` is that of their certificates, None for keys that have none. ``takes_over_later``: the new key
    is published first and used when everybody had time to learn it (:mod:`keys.rotation`).
    """

    purpose: KeyPurpose
    profile: ProfileName | None = None
    algorithms: tuple[KeyAlgorithm, ...] = ()
    takes_over_later: bool = False


RECIPES: Final[Mapping[KeyPurpose, Recipe]] = MappingProxyType(
    {
        recipe.purpose: recipe
        for recipe in (
            Recipe(KeyPurpose.SEAL, ProfileName.SEAL),
            Recipe(KeyPurpose.ISSUING_CA, ProfileName.ISSUING),
            Recipe(KeyPurpose.TIMESTAMPING, ProfileName.TIMESTAMPING),
            Recipe(KeyPurpose.OCSP, ProfileName.OCSP),
            Recipe(KeyPurpose.RECEIPT, ProfileName.RECEIPT),
            Recipe(
                KeyPurpose.TOKEN,
                algorithms=(KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_3072),
                takes_over_later=True,
            ),
            Recipe(KeyPurpose.WRAPPING, algorithms=(KeyAlgorithm.AES_256,)),
        )
    }
)
"""Every purpose but the root's, whose key changes in a ceremony. Without ``algorithms`` the successor has its
predecessor's."""


def own_key_ids(rotation: Rotation) -> frozenset[str]:
    """Every id that a key of this rotation can have."""
    return frozenset(key_id_for(rotation.id, rotation.purpose, algorithm) for algorithm in KeyAlgorithm)


def key_id_for(rotation_id: str, purpose: KeyPurpose, algorithm: KeyAlgorithm) -> str:
    """The new key's id, known before it is made: a step that is repeated finds it and makes no second."""
    digest = hashlib.sha256(f"{rotation_id}/{algorithm}".encode()).hexdigest()
    return f"{purpose}-{digest[:20]}"
