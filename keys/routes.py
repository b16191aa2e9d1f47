"""``/v1/keys``: what keys there are, and acts on them that wait for custodians. Nothing secret comes out."""

# No postponed annotations here: FastAPI could not resolve the guard, which is local to `router`.

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from keys.approvals import MOST_PROOF, Decision, KeyAct, RequestState, Standing, Statement, Verdict
from keys.custodians import ProofKind, decoded, encoded
from keys.custodianship import Custodians
from keys.dual_control import DualControl
from keys.errors import CustodianUnknown, ProofRefused
from keys.model import KeyAlgorithm, KeyPurpose, KeyState
from keys.ports import Ask, KeyCaller
from keys.service import KeyService

_TAG = "keys"
_MOST_LISTED = 200


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyOut(_Schema):
    """A key as everybody may know it."""

    id: str
    purpose: KeyPurpose
    algorithm: KeyAlgorithm
    owner: str = Field(description="The agency whose seal this is; empty for keys of the service.")
    state: KeyState
    public_key: str = Field(description="SubjectPublicKeyInfo, DER in base64url; empty for a secret key.")
    created_at: datetime
    not_after: datetime | None


class CustodianKeyOut(_Schema):
    kind: ProofKind
    fingerprint: str = Field(description="SHA-256 of the public key, hexadecimal.")


class CustodianOut(_Schema):
    name: str
    person: str
    keys: list[CustodianKeyOut]


class RegisterOut(_Schema):
    version: int
    required: int = Field(description="How many have to agree to an act.")
    custodians: list[CustodianOut]


class RequestIn(_Schema):
    act: KeyAct
    parameters: dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=2_000)]] = Field(
        max_length=20, examples=[{"purpose": "seal", "owner": "dinas", "reason": "yearly rotation"}]
    )


class RequestOut(_Schema):
    """A request and where it stands. ``void``: it was altered behind the service's back and never starts."""

    id: str
    act: KeyAct
    parameters: dict[str, str]
    requester: str
    requested_at: datetime
    expires_at: datetime
    required: int
    needed: int
    service: str
    digest: str
    state: RequestState
    void: bool
    approved_by: list[str]
    rejected_by: list[str]
    statements: dict[Verdict, str] = Field(
        description="For a custodian: what to sign, in UTF-8, by ECDSA over P-256 with SHA-256, to decide so."
    )


class DecisionIn(_Schema):
    verdict: Verdict
    signature: str = Field(
        max_length=2 * MOST_PROOF,
        description="The signature over the statement, DER Ecdsa-Sig-Value in base64url. The access token "
        "says who hands it in; this proves who decided.",
    )


def router(
    *,
    keys: KeyService,
    control: DualControl,
    custodians: Custodians,
    ask: Ask,
    guard: Callable[[Request], KeyCaller],
) -> APIRouter:
    """``ask`` knows what an act needs before it makes sense to ask for it. ``guard`` lets auditors read, and
    nobody but custodians who logged in a moment ago change something.
    """
    routes = APIRouter(prefix="/v1/keys", tags=[_TAG])
    Caller = Annotated[KeyCaller, Depends(guard)]
    RequestId = Annotated[str, Path(max_length=40, pattern="^key-request-[0-9a-f]+$")]

    def shown(standing: Standing, caller: KeyCaller) -> RequestOut:
        own = custodians.register().of_person(caller.person_id) if caller.decides else None
        request = standing.request
        return RequestOut(
            id=request.id,
            act=request.act,
            parameters=dict(request.parameters),
            requester=request.requester,
            requested_at=request.requested_at,
            expires_at=request.expires_at,
            required=request.required,
            needed=standing.needed,
            service=request.service,
            digest=request.digest,
            state=standing.state,
            void=standing.is_void,
            approved_by=list(standing.approved_by),
            rejected_by=list(standing.rejected_by),
            statements={}
            if own is None or standing.is_void
            else {
                verdict: Statement(request.digest, verdict, own.name).message().decode()
                for verdict in Verdict
            },
        )

    def custodian(caller: KeyCaller) -> str:
        """The caller's name in the register: nobody hands in somebody else's decision."""
        own = custodians.register().of_person(caller.person_id)
        if own is None:
            raise CustodianUnknown(caller.person_id)
        return own.name

    @routes.get("", summary="Every key ever made, destroyed ones included")
    def list_keys(caller: Caller) -> list[KeyOut]:
        return [
            KeyOut(
                id=key.id,
                purpose=key.purpose,
                algorithm=key.algorithm,
                owner=key.owner,
                state=key.state,
                public_key=encoded(key.public_key),
                created_at=key.created_at,
                not_after=key.not_after,
            )
            for key in keys.list()
        ]

    @routes.get("/custodians", summary="Who may approve acts on keys")
    def list_custodians(caller: Caller) -> RegisterOut:
        register = custodians.register()
        return RegisterOut(
            version=register.version,
            required=control.policy.required,
            custodians=[
                CustodianOut(
                    name=one.name,
                    person=one.person_id,
                    keys=[CustodianKeyOut(kind=key.kind, fingerprint=key.id) for key in one.keys],
                )
                for one in register.custodians
            ],
        )

    @routes.get("/requests", summary="Acts on keys that were asked for, newest first")
    def list_requests(
        caller: Caller, limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 50
    ) -> list[RequestOut]:
        return [shown(standing, caller) for standing in control.list(limit=limit)]

    @routes.post("/requests", status_code=201, summary="Ask for an act on a key")
    def request_act(asked: RequestIn, caller: Caller) -> RequestOut:
        request = ask(asked.act, asked.parameters, requester=caller.person_id)
        return shown(control.standing(request.id), caller)

    @routes.get("/requests/{request_id}", summary="One request, and where it stands")
    def read_request(request_id: RequestId, caller: Caller) -> RequestOut:
        return shown(control.standing(request_id), caller)

    @routes.post("/requests/{request_id}/decisions", summary="Approve or reject a request")
    def decide(request_id: RequestId, given: DecisionIn, caller: Caller) -> RequestOut:
        name = custodian(caller)
        try:
            proof = decoded(given.signature)
        except ValueError:
            raise ProofRefused(name) from None
        control.decide(request_id, Decision(name, given.verdict, proof))
        control.change_custodians_due()
        return shown(control.standing(request_id), caller)

    return routes
