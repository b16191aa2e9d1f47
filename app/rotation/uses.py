"""What one use of a key (a purpose and an owner) needs for a rotation: its recipe, and its keys before and
after. Only looks; :mod:`app.rotation.service` acts."""

from __future__ import annotations

from app.rotation.errors import NothingToRotate
from app.rotation.model import RECIPES, Recipe, Rotation, named_use, own_key_ids
from ca.hierarchy import Hierarchy
from ca.in_use import certificate_in_use
from ca.model import CertificateRecord
from ca.tables import Certificates
from keys.approvals import KeyRequest
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.ports import Begin
from keys.service import KeyService


class KeyUses:
    """Safe to share. Methods may not be called inside an open transaction."""

    def __init__(self, *, read: Begin, keys: KeyService, hierarchy: Hierarchy) -> None:
        self._read = read
        self._keys = keys
        self._hierarchy = hierarchy

    # --- before anything is made ---------------------------------------------------------------------

    def owner(self, purpose: KeyPurpose, named: str) -> str:
        """Whose key is meant. Raises :class:`NothingToRotate`."""
        if purpose is KeyPurpose.OCSP and not named:
            return self._hierarchy.issuing_ca().name
        if purpose is KeyPurpose.SEAL and not named:
            raise NothingToRotate("whose seal? Name the agency with --owner.")
        if named and purpose not in {KeyPurpose.SEAL, KeyPurpose.OCSP}:
            raise NothingToRotate(f"{purpose} keys belong to the service itself: leave the owner out.")
        return named

    def recipe(self, purpose: KeyPurpose, owner: str) -> Recipe:
        """Raises :class:`NothingToRotate` where there is no key to succeed, or it changes another way."""
        recipe = RECIPES.get(purpose)
        if recipe is None:
            raise NothingToRotate(
                "The root's key changes in a ceremony, with its custodians in one room: `absah ca ceremony`."
            )
        if self._predecessor(purpose, owner) is None:
            raise NothingToRotate(
                f"There is no {named_use(purpose, owner)} key yet. `absah init` and `absah agency certify` "
                "make the first ones; `absah keys list` shows what there is."
            )
        return recipe

    def _predecessor(self, purpose: KeyPurpose, owner: str) -> KeyRecord | None:
        """The key in use; without one, the newest that ever was."""
        in_use = self._keys.in_use(purpose, owner)
        if in_use:
            return in_use[0]
        mine = [key for key in self._keys.list() if (key.purpose, key.owner) == (purpose, owner)]
        return max(mine, key=lambda key: key.created_at, default=None)

    # --- successors ----------------------------------------------------------------------------------

    def algorithms(self, rotation: Rotation, request: KeyRequest) -> tuple[KeyAlgorithm, ...]:
        """Of the keys that the rotation makes; ``request`` is the one that custodians agreed to."""
        if fixed := RECIPES[rotation.purpose].algorithms:
            return fixed
        if made := self.made(rotation):
            return tuple(key.algorithm for key in made)
        if (asked := algorithm_in(request)) is not None:
            return (asked,)
        self.recipe(rotation.purpose, rotation.owner)
        predecessor = self._predecessor(rotation.purpose, rotation.owner)
        assert predecessor is not None
        return (predecessor.algorithm,)

    def made(self, rotation: Rotation) -> list[KeyRecord]:
        """What the rotation made, noted or not: no second key after a crash, whatever is in use by now."""
        ids = own_key_ids(rotation)
        return [key for key in self._keys.list() if key.id in ids]

    def waiting(self, rotation: Rotation, algorithm: KeyAlgorithm) -> KeyRecord | None:
        """A successor that upkeep published already, where keys are published before they sign."""
        if not RECIPES[rotation.purpose].takes_over_later:
            return None
        mine = [
            key
            for key in self._keys.list()
            if (key.purpose, key.owner, key.algorithm) == (rotation.purpose, rotation.owner, algorithm)
        ]
        in_use = max((key.created_at for key in mine if key.state is KeyState.ACTIVE), default=None)
        waiting = [
            key
            for key in mine
            if key.state is KeyState.PRE_ACTIVATION and (in_use is None or key.created_at >= in_use)
        ]
        return max(waiting, key=lambda key: key.created_at, default=None)

    def certificate(self, rotation: Rotation, key_id: str) -> CertificateRecord | None:
        """That of a new key; None too where keys of this use have none."""
        profile = RECIPES[rotation.purpose].profile
        if profile is None:
            return None
        with self._read() as tx:
            return Certificates(tx).of_key(key_id, profile)

    def are_active(self, rotation: Rotation) -> bool:
        """Whether the switch was made."""
        states = {self._keys.get(key_id).state for key_id in rotation.keys}
        return states == {KeyState.ACTIVE}

    # --- beside each other ---------------------------------------------------------------------------

    def before(self, rotation: Rotation) -> list[KeyRecord]:
        """The active keys of this use that are older than the new one."""
        new = self._keys.get(rotation.keys[0])
        in_use = self._keys.in_use(rotation.purpose, rotation.owner)
        return [key for key in in_use if key.created_at < new.created_at and key.id not in rotation.keys]

    def came_over(self, rotation: Rotation) -> bool:
        """Whether users have come over to the new key, or to a later one."""
        profile = RECIPES[rotation.purpose].profile
        if profile is None:
            return True
        used = certificate_in_use(self._read, self._keys, profile, rotation.owner)
        new = self._keys.get(rotation.keys[0])
        return used is not None and self._keys.get(used.key_id).created_at >= new.created_at


def algorithm_in(request: KeyRequest) -> KeyAlgorithm | None:
    """Raises ``ValueError``."""
    named = request.parameters.get("algorithm")
    return None if named is None else KeyAlgorithm(named)


def require_free_choice(recipe: Recipe, algorithm: KeyAlgorithm | None) -> None:
    """Raises :class:`NothingToRotate` for an ``algorithm`` that keys of this purpose do not have."""
    if algorithm is not None and (recipe.algorithms or not algorithm.signs):
        raise NothingToRotate(f"The algorithm of {recipe.purpose} keys is not {algorithm}: leave it out.")
