"""Where custodians meet people: passkeys of accounts prove decisions on keys, and mails tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection

from app.approving.telling import ACTS
from app.audit import Audit
from app.clock import Clock
from app.database import Database
from app.settings import Settings
from identity.factors.model import Passkey
from identity.factors.service import Factors
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.people.errors import PersonUnknown
from identity.people.model import PersonState
from identity.people.service import People
from identity.ports import Contacts, HeldData, Outbox
from keys.approvals import ApprovalPolicy, KeyRequest, RequestState
from keys.custodians import Custodian, CustodianKey, ProofKind
from keys.custodianship import Custodians, Sealer
from keys.dual_control import DualControl
from keys.errors import RegisterAltered

_USABLE: Final = frozenset({PersonState.ACTIVE, PersonState.INVITED, PersonState.REGISTERED})
"""States of an account that nobody stopped, as roles are given to it."""


class CustodianPasskeys:
    """Implements :class:`keys.custodians.PasskeyProofs` by the rules of the login's relying party.

    The register names the very credential and its public key: a passkey that somebody adds to the account, or
    writes into its table, proves nothing here.
    """

    def __init__(self, factors: Factors) -> None:
        self._factors = factors

    def is_proof(self, answer: bytes, *, key: CustodianKey, person_id: str, challenge: bytes) -> bool:
        return self._factors.is_statement(
            answer,
            credential_id=key.credential_id,
            public_key=key.public_key,
            person_id=person_id,
            challenge=challenge,
        )


class CustodianRoles:
    """Whether a custodian in the register serves now. Call it for an answer.

    Whoever decides by the passkey of an account holds the role there; from the moment at which it ends, or
    the account is stopped, their word counts no more, by a key file neither. The others remove them from the
    register by a request. Who has a key file only is what the register says: their account, if one is
    named, says under which name they ask.
    """

    def __init__(self, *, people: People, operators: Operators) -> None:
        self._people = people
        self._operators = operators

    def __call__(self, custodian: Custodian) -> bool:
        if all(key.kind is not ProofKind.PASSKEY for key in custodian.keys):
            return True
        try:
            state = self._people.get(custodian.person_id).state
        except PersonUnknown:
            return False
        return state in _USABLE and self._operators.powers(custodian.person_id).has(Role.KEY_CUSTODIAN)


class CustodianNews:
    """Implements :class:`keys.ports.RequestNews`: mails to accounts with an address."""

    def __init__(self, *, outbox: Outbox, contacts: Contacts) -> None:
        self._outbox = outbox
        self._contacts = contacts

    def waits(self, tx: Connection, request: KeyRequest, custodians: Sequence[Custodian]) -> None:
        until = request.expires_at.isoformat(timespec="seconds")
        self._tell(tx, _accounts(custodians), "key_request_waits", request, {"until": until})

    def decided(
        self, tx: Connection, request: KeyRequest, state: RequestState, custodians: Sequence[Custodian]
    ) -> None:
        ready = state is RequestState.READY
        template = "key_request_approved" if ready else "key_request_rejected"
        self._tell(tx, _accounts(custodians), template, request, {})

    def cancelled(self, tx: Connection, request: KeyRequest, custodians: Sequence[Custodian]) -> None:
        # Whoever asked may be none of them. The schedule and the shell have no account, and get no mail.
        whom = dict.fromkeys([request.requester, *_accounts(custodians)])
        self._tell(tx, whom, "key_request_cancelled", request, {})

    def _tell(
        self,
        tx: Connection,
        people: Iterable[str],
        template: str,
        request: KeyRequest,
        values: dict[str, str],
    ) -> None:
        """The digest is not in the mail: whoever reads it there has not looked at the request."""
        for person_id in people:
            contact = self._contacts.of(tx, person_id)
            if contact is not None and contact.email is not None:
                self._outbox.queue(
                    tx,
                    to=contact.email,
                    template=template,
                    language=contact.language,
                    values={"request": request.id, "act": ACTS[contact.language][request.act], **values},
                )


def _accounts(custodians: Sequence[Custodian]) -> list[str]:
    return [one.person_id for one in custodians if one.person_id]


class DistrustNews:
    """Tells every custodian that somebody alone ended the belief in a time-stamping unit of others. Call it
    in the transaction of that."""

    def __init__(self, *, outbox: Outbox, contacts: Contacts, custodians: Custodians) -> None:
        self._outbox = outbox
        self._contacts = contacts
        self._custodians = custodians

    def __call__(self, tx: Connection, unit: x509.Certificate) -> None:
        try:
            register = self._custodians.current(tx).custodians
        except RegisterAltered:  # to distrust waits for nobody, and the doctor says what is wrong
            return
        for custodian in register:
            contact = self._contacts.of(tx, custodian.person_id) if custodian.person_id else None
            if contact is not None and contact.email is not None:
                values = {"unit": _short_name(unit), "code": unit.fingerprint(hashes.SHA256()).hex()}
                self._outbox.queue(
                    tx, to=contact.email, template="unit_distrusted", language=contact.language, values=values
                )


def _short_name(unit: x509.Certificate) -> str:
    names = unit.subject.get_attributes_for_oid(NameOID.COMMON_NAME) or list(unit.subject)
    return str(names[0].value)[:80] if names else "-"


def held_of_custodian(custodians: Custodians) -> HeldData:
    """For the export of a person's data. The entry stays: it says who could approve what when."""

    def held(person_id: str) -> Mapping[str, object]:
        found = custodians.register().of_person(person_id)
        if found is None:
            return {}
        return {
            "custodian": {"name": found.name, "keys": [f"{key.kind.value} {key.id}" for key in found.keys]}
        }

    return held


def passkey_of_custodian(passkey: Passkey) -> CustodianKey:
    """An account's passkey as the register writes it down."""
    return CustodianKey(ProofKind.PASSKEY, passkey.public_key, passkey.credential_id)


def build_dual_control(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    audit: Audit,
    sealer: Sealer,
    factors: Factors,
    people: People,
    operators: Operators,
    outbox: Outbox,
    contacts: Contacts,
) -> tuple[Custodians, DualControl]:
    """Opens no key and asks no database."""
    ports: dict[str, Any] = {
        "begin": database.begin,
        "read": database.read,
        "clock": clock,
        "audit": audit,
        "sealer": sealer,
        "policy": ApprovalPolicy(
            required=settings.keys.approvals,
            lifetime=timedelta(hours=settings.keys.approval_hours),
            service=settings.public_url,
        ),
    }
    custodians = Custodians(**ports)
    control = DualControl(
        **ports,
        custodians=custodians,
        passkeys=CustodianPasskeys(factors),
        serves=CustodianRoles(people=people, operators=operators),
        news=CustodianNews(outbox=outbox, contacts=contacts),
    )
    return custodians, control
