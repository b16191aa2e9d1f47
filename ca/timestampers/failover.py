"""Several authorities, ours among them, in the order in which they are to be asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from ca.errors import TimeNotAvailable


class Unit(Protocol):
    """What can stamp: :class:`signing.ports.TimeStamper`."""

    @property
    def chain(self) -> tuple[bytes, ...]: ...

    def token(self, digest: bytes) -> bytes: ...


class Authority(Protocol):
    """Offers units, the one that is most likely to stamp first."""

    def units(self) -> Iterator[Unit]:
        """Raises :class:`ca.errors.TimeNotAvailable`."""
        ...


class FailOver:
    """Implements :class:`signing.ports.TimeStampers`. Who cannot offer a unit now is passed over."""

    def __init__(self, authorities: Sequence[Authority]) -> None:
        self._authorities = tuple(authorities)

    def units(self) -> Iterator[Unit]:
        """Every unit of every authority. Raises the last refusal when nobody offered any."""
        refused: TimeNotAvailable | None = None
        offered = False
        for authority in self._authorities:
            try:
                for unit in authority.units():
                    offered = True
                    yield unit
            except TimeNotAvailable as cause:
                refused = cause
        if refused is not None and not offered:
            raise refused
