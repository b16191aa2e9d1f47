"""Acts on keys that nobody does alone: what is asked for, what custodians say, and what that amounts to.

Pure. A **request** is an act with its parameters, by whom, when, until when and how many must agree. Its
digest is over all of that, and custodians sign the digest: whoever alters a request afterwards holds
approvals of something else. A **statement** binds the digest, the verdict and who gives it, so that none of
them can be carried elsewhere.

WAITING → STARTED → DONE, FAILED or CANCELLED; WAITING → REJECTED. A request that waited too long never
starts.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from keys.custodians import Change, Custodian, PasskeyProofs, Register, proves
from keys.errors import RequestAltered, RequestInvalid

MOST_PROOF: Final = 16 * 1024
"""Bytes of a proof. An ECDSA signature has about 72, a passkey's answer about a thousand."""
_MOST_TEXT: Final = 2_000
_MOST_ACTOR: Final = 128


class KeyAct(StrEnum):
    """Acts on keys that wait for custodians. Values are stored, signed and typed on the command line."""

    ROTATE = "rotate"
    RETIRE = "retire"
    DESTROY = "destroy"
    REINSTATE = "reinstate"  # lift a suspension
    COMPROMISE = "compromise"  # the half of it that cannot be undone; suspending waits for nobody
    CERTIFY = (
        "certify"  # a seal's key and certificate outside a rotation: an agency's first, or after its last
    )
    TRUST = "trust"  # believe a time-stamping unit of others again; to distrust one waits for nobody
    CUSTODIANS = "custodians"  # change the register of custodians


@dataclass(frozen=True, slots=True)
class ActParameters:
    """The names that a request for an act must and may have. Every request may give a ``reason``."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        return self.required | self.optional | {"reason"}


PARAMETERS: Final[Mapping[KeyAct, ActParameters]] = MappingProxyType(
    {
        KeyAct.ROTATE: ActParameters(frozenset({"purpose"}), frozenset({"owner", "algorithm"})),
        KeyAct.RETIRE: ActParameters(frozenset({"key"})),
        KeyAct.DESTROY: ActParameters(frozenset({"key"})),
        KeyAct.REINSTATE: ActParameters(frozenset({"key"})),
        KeyAct.COMPROMISE: ActParameters(frozenset({"key", "since"})),
        KeyAct.CERTIFY: ActParameters(frozenset({"owner", "organisation", "organization_identifier"})),
        KeyAct.TRUST: ActParameters(frozenset({"unit", "issuer"})),
        KeyAct.CUSTODIANS: ActParameters(
            frozenset({"change", "custodian"}),
            frozenset({"kind", "public_key", "credential", "person", "account"}),
        ),
    }
)
"""Known ahead, because custodians can only agree to what the page and the command can put into words."""


class RequestState(StrEnum):
    """Values are stored; READY and LAPSED are what a waiting request is seen to be, and never stored."""

    WAITING = "waiting"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    READY = "ready"
    LAPSED = "lapsed"


class Outcome(StrEnum):
    """How an act ended that was started."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # called off by somebody before it changed anything


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """``required`` custodians must agree (0: nobody, for development); a request waits for ``lifetime``.

    ``service`` is the address of the installation.
    """

    required: int
    lifetime: timedelta = timedelta(hours=72)
    service: str = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """An act that somebody asks for. Times are aware UTC.

    ``requester`` is an actor as the audit trail spells it: a person id, ``cli:NAME``, a part of the service.
    ``service`` is whose keys these are, so that what somebody signs at an installation for trials, with the
    same key file, approves nothing at the real one.
    """

    id: str
    act: KeyAct
    parameters: Mapping[str, str]
    requester: str
    requested_at: datetime
    expires_at: datetime
    required: int
    service: str

    def canonical(self) -> bytes:
        """JSON with sorted keys, no blanks and ASCII only: one spelling per request."""
        return _canonical(
            {
                "type": "absah key request v1",
                "id": self.id,
                "act": self.act.value,
                "parameters": dict(self.parameters),
                "requester": self.requester,
                "requested_at": _spelt(self.requested_at),
                "expires_at": _spelt(self.expires_at),
                "required": self.required,
                "service": self.service,
            }
        )

    @classmethod
    def read(cls, content: bytes) -> KeyRequest:
        """The reverse of :meth:`canonical`, for signing away from the service, whose machine need not be
        trusted for that: what cannot be told as it is, down to control characters, is refused.

        Raises :class:`keys.errors.RequestInvalid` for anything that :meth:`canonical` does not make.
        """
        try:
            value = json.loads(content)
            request = cls(
                id=value["id"],
                act=KeyAct(value["act"]),
                parameters=MappingProxyType(dict(value["parameters"])),
                requester=value["requester"],
                requested_at=datetime.fromisoformat(value["requested_at"]),
                expires_at=datetime.fromisoformat(value["expires_at"]),
                required=value["required"],
                service=value["service"],
            )
            whole = request.canonical() == content and all(
                text.isprintable() for text in (request.id, request.requester, request.service)
            )
            require_tellable(request.act, request.parameters)
            if request.act is KeyAct.CUSTODIANS:
                Change(request.parameters["change"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            whole = False
        if not whole:
            raise RequestInvalid("this is not a request as `absah keys show --json` prints it: print it anew")
        return request

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`canonical`, 64 hex digits: what custodians sign, and read to each other."""
        return hashlib.sha256(self.canonical()).hexdigest()


@dataclass(frozen=True, slots=True)
class Statement:
    """What a custodian signs."""

    request_digest: str
    verdict: Verdict
    custodian: str

    def message(self) -> bytes:
        """The bytes under an ECDSA signature with SHA-256."""
        return _canonical(
            {
                "type": "absah key decision v1",
                "request": self.request_digest,
                "verdict": self.verdict.value,
                "custodian": self.custodian,
            }
        )

    def challenge(self) -> bytes:
        """SHA-256 of :meth:`message`: the challenge of the passkey that signs (WebAuthn Level 3, 13.4.3).

        Not random, but never met before: a request has an id of its own, and one answer is all that is asked.
        """
        return hashlib.sha256(self.message()).digest()


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its proof: a DER ``Ecdsa-Sig-Value``, or a passkey's answer as JSON."""

    custodian: str
    verdict: Verdict
    proof: bytes

    def statement(self, request: KeyRequest) -> Statement:
        return Statement(request.digest, self.verdict, self.custodian)


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """A decision on record. ``key_id`` says which of the custodian's keys proved it."""

    request_id: str
    decision: Decision
    key_id: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands: names of custodians in the order in which they decided.

    ``needed`` approvals are demanded now, which may be more than when the request was made. ``is_void``: it,
    or what was said to it, was altered behind the service's back. It never starts.
    """

    request: KeyRequest
    state: RequestState
    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]
    needed: int
    is_void: bool = False

    @property
    def missing(self) -> int:
        """Approvals that are still wanted."""
        return max(0, self.needed - len(self.approved_by))


def new_request(
    act: KeyAct, parameters: Mapping[str, str], *, requester: str, now: datetime, policy: ApprovalPolicy
) -> KeyRequest:
    """Raises :class:`keys.errors.RequestInvalid`."""
    require_tellable(act, parameters)
    if not requester or len(requester) > _MOST_ACTOR:
        raise RequestInvalid("a request names who asks for it: give the requester")
    requested_at = now.astimezone(UTC).replace(microsecond=0)
    return KeyRequest(
        id=f"key-request-{secrets.token_hex(8)}",
        act=act,
        parameters=MappingProxyType(dict(parameters)),
        requester=requester,
        requested_at=requested_at,
        expires_at=requested_at + policy.lifetime,
        required=policy.required,
        service=policy.service,
    )


def require_tellable(act: KeyAct, parameters: Mapping[str, str]) -> None:
    """Whether those who approve can be told all of it. Raises :class:`keys.errors.RequestInvalid`."""
    known = PARAMETERS[act]
    if missing := known.required - parameters.keys():
        raise RequestInvalid(f"a request to {act} names {', '.join(sorted(missing))} too: add it")
    if unknown := parameters.keys() - known.known:
        raise RequestInvalid(f"a request to {act} does not know {', '.join(sorted(unknown))}: leave it out")
    for name, value in parameters.items():
        if not value.strip() or len(value) > _MOST_TEXT or not value.isprintable():
            raise RequestInvalid(
                f"{name} is empty, over {_MOST_TEXT} characters long, or not printable: write it on one line"
            )


def grouped(digest: str) -> str:
    """A digest in groups of four, as two people read it to each other."""
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def may_decide(custodian: Custodian, request: KeyRequest) -> bool:
    """Whoever asks for an act does not approve it, under none of the names that they are known by."""
    return not custodian.acts_as(request.requester)


def needed_for(request: KeyRequest, policy: ApprovalPolicy) -> int:
    """As many as when it was asked for, and no fewer than are demanded today."""
    return max(request.required, policy.required)


def standing_of(
    request: KeyRequest,
    kept: Iterable[KeptDecision],
    *,
    register: Register,
    passkeys: PasskeyProofs,
    policy: ApprovalPolicy,
    now: datetime,
) -> Standing:
    """What the decisions on a waiting request amount to, every proof checked again.

    1. A decision counts for whoever is a custodian now, by a key that is theirs now. Others are passed over.
    2. A proof that fails although its key is there was never given for this: :class:`RequestAltered`.
    3. A custodian counts once, and the requester not at all.
    """
    verdicts: dict[str, Verdict] = {}
    for one in kept:
        custodian = register.find(one.decision.custodian)
        key = custodian.key(one.key_id) if custodian is not None else None
        if custodian is None or key is None:
            continue
        statement = one.decision.statement(request)
        if one.request_id != request.id or not proves(
            one.decision.proof, key, custodian, message=statement.message(), passkeys=passkeys
        ):
            raise RequestAltered(request.id)
        if may_decide(custodian, request):
            verdicts.setdefault(custodian.name, one.decision.verdict)
    approved = tuple(name for name, verdict in verdicts.items() if verdict is Verdict.APPROVE)
    rejected = tuple(name for name, verdict in verdicts.items() if verdict is Verdict.REJECT)
    needed = needed_for(request, policy)
    state = RequestState.READY if len(approved) >= needed else RequestState.WAITING
    if now >= request.expires_at:
        state = RequestState.LAPSED
    return Standing(request, state, approved, rejected, needed)


def is_out_of_reach(standing: Standing, register: Register) -> bool:
    """Whether so many rejected it that those who are left cannot approve it any more."""
    able = {one.name for one in register.custodians if may_decide(one, standing.request)}
    return bool(standing.rejected_by) and len(able - set(standing.rejected_by)) < standing.needed


def _spelt(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
