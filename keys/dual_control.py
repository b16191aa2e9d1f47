"""The jobs of dual control: ask for an act, decide on it, and start it once enough custodians agreed.

Whoever carries acts out calls :meth:`DualControl.claim` and does what the returned request says, nothing
else: the request in hand is the one that was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from keys.approval_tables import ENDED, KeptRequest, Requests
from keys.approvals import (
    MOST_PROOF,
    ApprovalPolicy,
    Decision,
    KeptDecision,
    KeyAct,
    KeyRequest,
    Outcome,
    RequestState,
    Standing,
    Verdict,
    is_out_of_reach,
    may_decide,
    new_request,
)
from keys.custodians import Custodian, NoPasskeys, PasskeyProofs, Register, changed, proves
from keys.custodianship import SEAL, Custodians, Sealer
from keys.endings import Ending
from keys.errors import (
    CustodianKeyRefused,
    CustodiansChangeRefused,
    CustodianUnknown,
    DecidedBefore,
    NotApproved,
    ProofRefused,
    RequestAltered,
    RequesterDecides,
    RequestExpired,
    RequestInvalid,
    RequestNotOpen,
)
from keys.ports import AuditMemory, Begin, Clock, RequestNews
from keys.request_book import RequestBook, existing, started

MOST_WAITING: Final = 20
"""Requests that one requester may have waiting: nobody buries an urgent one under others."""
_MOST_DETAIL: Final = 500


class DualControl(RequestBook):
    """The book of requests, and what is done with them. Safe to share between threads and processes.

    Every method but the reading ones is a transaction of its own and may not be called inside another.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditMemory,
        sealer: Sealer,
        custodians: Custodians,
        policy: ApprovalPolicy,
        passkeys: PasskeyProofs | None = None,
        serves: Callable[[Custodian], bool] = lambda _: True,
        news: RequestNews | None = None,
    ) -> None:
        super().__init__(
            read=read,
            clock=clock,
            sealer=sealer,
            custodians=custodians,
            policy=policy,
            passkeys=passkeys or NoPasskeys(),
            serves=serves,
        )
        self._begin = begin
        self._audit = audit
        self._news = news

    # --- asking --------------------------------------------------------------------------------------

    def request(self, act: KeyAct, parameters: Mapping[str, str], *, requester: str) -> KeyRequest:
        """Ask for an act. With a policy of no approvals it is ready at once.

        Raises :class:`keys.errors.RequestInvalid`, or for a change of the register that cannot be made
        ``CustodiansChangeRefused`` or ``CustodianKeyRefused``.
        """
        now = self._clock()
        request = new_request(act, parameters, requester=requester, now=now, policy=self.policy)
        with self._begin() as tx:
            requests, register = Requests(tx), self._custodians.current(tx)
            if requests.waiting_by(requester, now) >= MOST_WAITING:
                raise RequestInvalid(
                    f"{MOST_WAITING} requests by {requester} wait already: have them decided first"
                )
            if act is KeyAct.CUSTODIANS:
                changed(register, parameters, required=self.policy.required)
            requests.add(request, seal=self._sealer.seal(SEAL, request.digest.encode(), context=request.id))
            if self._news is not None and self.policy.required:
                self._news.waits(tx, request, _able(self._serving(tx), request))
            self._note(tx, "key.request_made", requester, request, {"required": str(request.required)})
        return request

    # --- deciding ------------------------------------------------------------------------------------

    def decide(self, request_id: str, decision: Decision) -> Standing:
        """Take down a custodian's verdict, and where the request stands now. Repeating it changes nothing.

        Raises ``RequestUnknown``, ``RequestNotOpen``, ``RequestExpired``, ``RequestAltered``, or a leaf of
        :class:`keys.errors.DecisionRefused`.
        """
        now = self._clock()
        with self._begin() as tx:
            # 1. The request waits, and is what was asked for.
            requests = Requests(tx)
            request = self._open(requests, request_id).request
            # 2. The custodian is one, is not the requester, and signed this.
            register = self._serving(tx)
            key_id = self._proven_key(decision, request, register)
            # 3. A decision is final, as long as the key that proved it is the custodian's.
            standing = self._standing(requests, request, register)
            earlier = {
                **dict.fromkeys(standing.approved_by, Verdict.APPROVE),
                **dict.fromkeys(standing.rejected_by, Verdict.REJECT),
            }.get(decision.custodian)
            if earlier is decision.verdict:
                return standing
            if earlier is not None:
                raise DecidedBefore(decision.custodian)
            # 4. It counts.
            requests.decide(KeptDecision(request.id, decision, key_id, now))
            standing = self._standing(requests, request, register)
            if is_out_of_reach(standing, register):
                requests.end(request.id, RequestState.WAITING, RequestState.REJECTED, at=now)
                standing = replace(standing, state=RequestState.REJECTED)
            if self._news is not None and standing.state in {RequestState.READY, RequestState.REJECTED}:
                self._news.decided(tx, request, standing.state, register.custodians)
            self._note(
                tx,
                f"key.request_{'approved' if decision.verdict is Verdict.APPROVE else 'rejected'}",
                f"custodian:{decision.custodian}",
                request,
                {"key": key_id, "stands": standing.state.value},
            )
        return standing

    # --- starting and ending -------------------------------------------------------------------------

    def claim(self, request_id: str) -> KeyRequest:
        """Start an approved request. Of many callers, in any process, exactly one gets it.

        Every proof is checked again, against the register as it is now. Raises ``RequestUnknown``,
        ``RequestNotOpen``, ``RequestExpired``, ``RequestAltered``, ``NotApproved`` or ``RegisterAltered``.
        """
        with self._begin() as tx:
            return self._claim(tx, request_id)

    def resume(self, request_id: str, act: KeyAct) -> KeyRequest:
        """:meth:`claim`, for acts of many steps that go on after a crash: a request that was started before,
        by the same work, is handed out again, by the seal that custody put on its start. Custodians who
        approved it may have left the register since.

        Only whoever carries out ``act`` may call it, one at a time. A request for another act is refused and
        not used up (``RequestInvalid``): ids come from tables in which others may write.
        """
        with self._begin() as tx:
            requests = Requests(tx)
            kept = existing(requests, request_id, hold=True)
            if kept.request.act is not act:
                raise RequestInvalid(f"request {request_id} is to {kept.request.act}: nobody agreed to {act}")
            if kept.state is not RequestState.STARTED:
                return self._claim(tx, request_id)
            self._require_whole(kept)
            for outcome in Outcome:  # what ended does not go on
                if self._audit.newest(tx, action=f"key.request_{outcome}", subject=request_id) is not None:
                    raise RequestAltered(request_id)
            return kept.request

    def finish(self, request_id: str, outcome: Outcome, *, detail: str = "") -> None:
        """Note how a started act ended; ``detail`` is a line for people, without personal data.

        Repeating the same outcome changes nothing. Raises ``RequestUnknown`` or ``RequestNotOpen``.
        """
        with self._begin() as tx:
            self._finish(tx, request_id, outcome, detail)

    def change_custodians(self, request_id: str) -> Register:
        """Carry out an approved change of the register: claimed, changed and finished in one transaction.

        A change that has become impossible since it was asked for ends as failed, and is raised.
        """
        with self._begin() as tx:
            request = self._claim(tx, request_id)
            if request.act is not KeyAct.CUSTODIANS:
                raise RequestInvalid(f"request {request_id} is to {request.act}: it changes no custodians")
            try:
                register = self._custodians.change(tx, request.parameters, actor=request.id)
            except (CustodiansChangeRefused, CustodianKeyRefused) as refused:
                failure: Exception | None = refused
                register = Register()
                self._finish(tx, request_id, Outcome.FAILED, str(refused))
            else:
                failure = None
                self._finish(tx, request_id, Outcome.DONE, Ending.REGISTER.said(version=register.version))
        if failure is not None:
            raise failure
        return register

    def change_custodians_due(self) -> int:
        """Carry out every approved change of the register; how many. For upkeep, and after a decision."""
        done = 0
        for request in self.ready(KeyAct.CUSTODIANS):
            # Another process was first, or it became impossible, which its outcome says.
            with suppress(RequestNotOpen, CustodiansChangeRefused, CustodianKeyRefused):
                self.change_custodians(request.id)
                done += 1
        return done

    def end_restored(self, tx: Connection, *, actor: str) -> int:
        """After a backup was put back: what waits ends, and so does consent to reinstate a key; how many.

        Nobody can tell which of them were carried out between the backup and the restore, and an approval
        is used once. Losses that wait for a decision go on waiting: to give up a lost key twice is no harm.
        Other acts that were started go on, as after a crash. The caller's transaction; audited here.
        """
        requests, now, ended = Requests(tx), self._clock(), []
        detail = Ending.RESTORED.said()
        for kept in requests.waiting(now):
            if kept.request.act is not KeyAct.COMPROMISE and requests.end(
                kept.request.id, RequestState.WAITING, RequestState.REJECTED, at=now, detail=detail
            ):
                ended.append((kept.request, RequestState.REJECTED))
        for kept in requests.in_state(RequestState.STARTED, KeyAct.REINSTATE):
            if requests.end(
                kept.request.id, RequestState.STARTED, RequestState.FAILED, at=now, detail=detail
            ):
                ended.append((kept.request, RequestState.FAILED))
        for request, state in ended:
            self._note(tx, f"key.request_{state}", actor, request, {"detail": detail})
        return len(ended)

    # --- inside --------------------------------------------------------------------------------------

    def _claim(self, tx: Connection, request_id: str) -> KeyRequest:
        # 1. The request waits, is what was asked for, and never started: an approval is used once.
        requests = Requests(tx)
        request = self._open(requests, request_id).request
        if self._audit.newest(tx, action="key.request_started", subject=request.id) is not None:
            raise RequestAltered(request.id)
        # 2. Enough of those who are custodians now agreed to exactly this.
        standing = self._standing(requests, request, self._serving(tx))
        if standing.missing:
            raise NotApproved(request.id, standing.missing)
        # 3. It starts once, and custody says that it did: what goes on later goes on by this seal.
        seal = self._sealer.seal(SEAL, started(request), context=f"{request.id} started")
        if not requests.start(request.id, seal=seal, at=self._clock()):
            raise RequestNotOpen(request.id, RequestState.STARTED)
        approved = " ".join(standing.approved_by)
        self._note(tx, "key.request_started", request.requester, request, {"approved_by": approved})
        return request

    def _finish(self, tx: Connection, request_id: str, outcome: Outcome, detail: str) -> None:
        requests = Requests(tx)
        kept, target = existing(requests, request_id, hold=True), ENDED[outcome]
        if kept.state is target:
            return
        line = " ".join(detail.split())[:_MOST_DETAIL]
        if not requests.end(request_id, RequestState.STARTED, target, at=self._clock(), detail=line):
            raise RequestNotOpen(request_id, kept.state)
        self._note(tx, f"key.request_{outcome}", kept.request.requester, kept.request, {"detail": line})
        if self._news is not None and outcome is Outcome.CANCELLED:
            self._news.cancelled(tx, kept.request, self._custodians.current(tx).custodians)

    def _open(self, requests: Requests, request_id: str) -> KeptRequest:
        """The request, held, if it may still be decided and started."""
        kept = existing(requests, request_id, hold=True)
        if kept.state is not RequestState.WAITING:
            raise RequestNotOpen(request_id, kept.state)
        self._require_whole(kept)
        if self._clock() >= kept.request.expires_at:
            raise RequestExpired(request_id)
        return kept

    def _proven_key(self, decision: Decision, request: KeyRequest, register: Register) -> str:
        custodian = register.find(decision.custodian)
        if custodian is None:
            raise CustodianUnknown(decision.custodian)
        if not may_decide(custodian, request):
            raise RequesterDecides(custodian.name)
        if len(decision.proof) <= MOST_PROOF:
            message = decision.statement(request).message()
            for key in custodian.keys:
                if proves(decision.proof, key, custodian, message=message, passkeys=self._passkeys):
                    return key.id
        raise ProofRefused(custodian.name)

    def _note(
        self, tx: Connection, action: str, actor: str, request: KeyRequest, facts: Mapping[str, str]
    ) -> None:
        self._audit.append(
            tx,
            action=action,
            actor=actor,
            subject=request.id,
            facts={"act": request.act.value, "digest": request.digest, **facts},
        )


def _able(register: Register, request: KeyRequest) -> list[Custodian]:
    return [one for one in register.custodians if may_decide(one, request)]
