"""The schedule raises requests, once for each key that is due; what becomes of them is for custodians."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from app.custody import tokens_are_due
from app.rotation.errors import RotationError
from app.rotation.model import CALLED_OFF, RECIPES, named_use
from app.rotation.service import Rotations
from app.settings import Settings
from ca.tables import Certificates
from keys.approvals import KeyAct
from keys.dual_control import DualControl
from keys.errors import DualControlError
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.policy import Due, SchedulePolicy, Verdict, due
from keys.ports import Begin, Clock
from keys.rotation import RotationPolicy
from keys.service import KeyService

log = structlog.get_logger(__name__)

REQUESTER: Final = "policy"
_PATIENCE: Final = timedelta(days=7)
"""A request of the schedule that was rejected, lapsed or failed is not made again before that, and none for
what somebody called off."""


def schedule_policy(settings: Settings, limits: Mapping[KeyPurpose, int]) -> SchedulePolicy:
    keys = settings.keys
    return SchedulePolicy(
        max_age={KeyPurpose(name): timedelta(days=days) for name, days in keys.rotate_days_of.items()},
        limits=limits,
        sunsets={
            KeyAlgorithm(name): datetime(day.year, day.month, day.day, tzinfo=UTC)
            for name, day in keys.sunset_of.items()
        },
        notice=timedelta(days=keys.notice_days),
    )


class Schedule:
    """Safe to run in several processes; the jobs of upkeep call :meth:`raise_requests`."""

    def __init__(
        self,
        *,
        read: Begin,
        clock: Clock,
        keys: KeyService,
        rotations: Rotations,
        dual_control: DualControl,
        policy: SchedulePolicy,
        tokens: RotationPolicy,
    ) -> None:
        self._read = read
        self._clock = clock
        self._keys = keys
        self._rotations = rotations
        self._dual_control = dual_control
        self._policy = policy
        self._tokens = tokens

    def due(self) -> list[tuple[KeyRecord, Verdict]]:
        """Every key in use that should be replaced, with the reason. Those of tokens keep a schedule of their
        own (:mod:`keys.rotation`): a successor is asked for in time to be published."""
        uses, now = self._keys.usage.of_all(), self._clock()
        found = []
        for key in self._in_use():
            counted = uses.get(key.id)
            verdict = due(
                key,
                now,
                self._policy,
                uses=0 if counted is None else counted.uses,
                ends=self._certificate_ends(key),
            )
            if verdict is not None:
                found.append((key, verdict))
        token = tokens_are_due(self._keys, self._tokens, clock=self._clock)
        if token is not None:
            found.append((token, Verdict(Due.AGE, f"it is in use since {token.since:%Y-%m-%d}")))
        return found

    def raise_requests(self) -> int:
        """Ask for a successor of every key that is due, unless that was done; how many were asked for."""
        made = 0
        for key, verdict in self.due():
            if self._was_asked(key):
                continue
            try:
                self._rotations.request(
                    key.purpose, key.owner, requester=REQUESTER, reason=f"{verdict.reason}: {verdict.words}"
                )
            except (RotationError, DualControlError) as refused:
                log.warning("rotation_not_requested", key=key.id, error=type(refused).__name__)
            else:
                made += 1
                log.info("rotation_requested", use=named_use(key.purpose, key.owner), reason=verdict.reason)
        return made

    def _in_use(self) -> list[KeyRecord]:
        """The newest active key of each use; the register lists the oldest first."""
        newest = {
            (key.purpose, key.owner): key
            for key in self._keys.list()
            if key.state is KeyState.ACTIVE and key.purpose in RECIPES
        }
        return [key for key in newest.values() if not RECIPES[key.purpose].takes_over_later]

    def _certificate_ends(self, key: KeyRecord) -> datetime | None:
        profile = RECIPES[key.purpose].profile
        if profile is None:
            return None
        with self._read() as tx:
            certificate = Certificates(tx).of_key(key.id, profile)
        return None if certificate is None else certificate.not_after

    def _was_asked(self, key: KeyRecord) -> bool:
        if self._rotations.under_way(key.purpose, key.owner) is not None:
            return True
        lately = self._clock() - _PATIENCE
        if any(
            one.phase in CALLED_OFF
            and (one.purpose, one.owner) == (key.purpose, key.owner)
            and (one.ended_at is None or one.ended_at > lately)
            for one in self._rotations.newest()
        ):
            return True
        return any(
            one.request.act is KeyAct.ROTATE
            and one.request.requester == REQUESTER
            and one.request.requested_at > lately
            and (one.request.parameters["purpose"], one.request.parameters.get("owner", ""))
            == (key.purpose.value, key.owner)
            for one in self._dual_control.list()
        )
