"""Requests for acts on keys, looked at: where each stands, and whether it is what custody sealed.

Nothing is believed for standing in the table (:mod:`keys.approval_tables`): seals are opened and signatures
verified whenever somebody looks. :mod:`keys.dual_control` is who asks, decides and starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from keys.approval_tables import ENDED, KeptRequest, Requests
from keys.approvals import (
    ApprovalPolicy,
    KeptDecision,
    KeyAct,
    KeyRequest,
    RequestState,
    Standing,
    Verdict,
    standing_of,
)
from keys.custodians import Custodian, PasskeyProofs, Register
from keys.custodianship import SEAL, Custodians, Sealer
from keys.errors import DataKeyUnknown, RequestAltered, RequestUnknown, SealedValueInvalid
from keys.ports import Begin, Clock

_BEHIND_A_START: Final = frozenset({RequestState.STARTED, *ENDED.values()})


class RequestBook:
    """Safe to share between threads and processes. ``read`` opens read-only transactions.

    ``serves`` says of a custodian in the register whether they do so now. Whoever does not, decides nothing,
    and what they decided is passed over, until they do again or leave the register.
    """

    def __init__(
        self,
        *,
        read: Begin,
        clock: Clock,
        sealer: Sealer,
        custodians: Custodians,
        policy: ApprovalPolicy,
        passkeys: PasskeyProofs,
        serves: Callable[[Custodian], bool],
    ) -> None:
        self._read = read
        self._clock = clock
        self._sealer = sealer
        self._custodians = custodians
        self._passkeys = passkeys
        self._serves = serves
        self.policy = policy

    def ready(self, act: KeyAct | None = None) -> list[KeyRequest]:
        """Approved and not started, oldest first; of one act or of all. Altered ones are left out."""
        now = self._clock()
        with self._read() as tx:
            requests, register = Requests(tx), self._serving(tx)
            seen = [self._seen(requests, kept, register) for kept in requests.waiting(now)]
        return [
            one.request
            for one in seen
            if one.state is RequestState.READY and not one.is_void and act in (None, one.request.act)
        ]

    def open(self, act: KeyAct) -> list[KeyRequest]:
        """Those that wait or were started, oldest first, however many newer ones there are of other acts."""
        now = self._clock()
        with self._read() as tx:
            requests = Requests(tx)
            waiting = [kept for kept in requests.waiting(now) if kept.request.act is act]
            return [kept.request for kept in (*requests.in_state(RequestState.STARTED, act), *waiting)]

    def under_way(self, act: KeyAct) -> list[KeyRequest]:
        """Started and not ended, oldest first: what a crash may have interrupted."""
        with self._read() as tx:
            return [kept.request for kept in Requests(tx).in_state(RequestState.STARTED, act)]

    def standing(self, request_id: str) -> Standing:
        """Where a request stands; one that was altered is void. Raises ``RequestUnknown``."""
        with self._read() as tx:
            requests = Requests(tx)
            return self._seen(requests, existing(requests, request_id), self._serving(tx))

    def serving(self) -> tuple[Custodian, ...]:
        """Those whose word counts now. Raises ``RegisterAltered``."""
        with self._read() as tx:
            return self._serving(tx).custodians

    def history(self, request_id: str) -> tuple[KeptRequest, list[KeptDecision]]:
        """A request and the decisions on it as they lie there. Raises ``RequestUnknown``."""
        with self._read() as tx:
            requests = Requests(tx)
            return existing(requests, request_id), requests.decisions(request_id)

    def list(self, *, limit: int = 100) -> list[Standing]:
        """Where the newest requests stand, newest first."""
        with self._read() as tx:
            requests, register = Requests(tx), self._serving(tx)
            return [self._seen(requests, kept, register) for kept in requests.newest(limit)]

    # --- inside --------------------------------------------------------------------------------------

    def _serving(self, tx: Connection) -> Register:
        register = self._custodians.current(tx)
        return replace(register, custodians=tuple(one for one in register.custodians if self._serves(one)))

    def _standing(self, requests: Requests, request: KeyRequest, register: Register) -> Standing:
        return standing_of(
            request,
            requests.decisions(request.id),
            register=register,
            passkeys=self._passkeys,
            policy=self.policy,
            now=self._clock(),
        )

    def _seen(self, requests: Requests, kept: KeptRequest, register: Register) -> Standing:
        """For looking: what must not be acted on is said to be void.

        What does not wait any more is shown as it was taken down: custodians and their keys may have changed
        since. That it was approved when it started is what the seal on its start says.
        """
        try:
            self._require_whole(kept)
            if kept.state is RequestState.WAITING:
                return self._standing(requests, kept.request, register)
        except RequestAltered:
            return Standing(kept.request, kept.state, (), (), self.policy.required, is_void=True)
        given = [one.decision for one in requests.decisions(kept.request.id)]
        return Standing(
            kept.request,
            kept.state,
            approved_by=tuple(one.custodian for one in given if one.verdict is Verdict.APPROVE),
            rejected_by=tuple(one.custodian for one in given if one.verdict is Verdict.REJECT),
            needed=kept.request.required,
        )

    def _require_whole(self, kept: KeptRequest) -> None:
        """That it was asked for so and, where it says that it started, that it was approved by then."""
        request = kept.request
        whole = self._opens_to(request.digest.encode(), kept.seal, request.id)
        if kept.state in _BEHIND_A_START:
            whole = whole and self._opens_to(started(request), kept.start_seal, f"{request.id} started")
        if not whole:
            raise RequestAltered(request.id)

    def _opens_to(self, expected: bytes, seal: bytes, context: str) -> bool:
        try:
            return self._sealer.open(SEAL, seal, context=context) == expected
        except (SealedValueInvalid, DataKeyUnknown):
            return False


def started(request: KeyRequest) -> bytes:
    """What custody seals when an act starts."""
    return f"started {request.digest}".encode()


def existing(requests: Requests, request_id: str, *, hold: bool = False) -> KeptRequest:
    kept = requests.get(request_id, hold=hold)
    if kept is None:
        raise RequestUnknown(request_id)
    return kept
