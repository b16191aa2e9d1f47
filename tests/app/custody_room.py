"""Custodians of a service who have accounts: their passkeys, and the requests that they decide on."""

from __future__ import annotations

from dataclasses import dataclass

from app.custodians import passkey_of_custodian
from app.wiring import Core
from identity.factors.model import FactorKind
from identity.operators.model import Role
from keys.approvals import KeyAct, KeyRequest
from keys.custodians import Change, parameters_of
from tests.app.walker import Walker, auditor_of, log_in, person
from tests.support.asgi import InProcess
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.clock import FrozenClock


@dataclass
class Keeper:
    """An operator with the role, at a browser, with a passkey in their pocket."""

    name: str
    walker: Walker
    phone: SoftwareAuthenticator

    @property
    def person_id(self) -> str:
        return self.walker.person_id


def new_keeper(core: Core, api: InProcess, clock: FrozenClock, serial: int, name: str) -> Keeper:
    """Appointed as two people do it, and logged in by passkey. Not in the register yet."""
    walker = person(core, api, clock, serial, name=name.capitalize())
    phone = new_passkey(core, walker.person_id)
    grant = core.office.operators.propose(walker.person_id, Role.KEY_CUSTODIAN, actor="cli:test")
    core.office.operators.confirm(grant.id, confirmer_id=auditor_of(core))
    log_in(core, walker, (FactorKind.PASSKEY,))
    return Keeper(name, walker, phone)


def new_passkey(core: Core, person_id: str) -> SoftwareAuthenticator:
    factors, phone = core.citizens.factors, SoftwareAuthenticator(core.settings.passkey_origin)
    challenge = factors.begin_passkey(person_id)
    factors.confirm_passkey(person_id, challenge.id, phone.create(challenge.options_json))
    return phone


def list_freely(core: Core, keeper: Keeper) -> None:
    """Put them into the register, as the command line does before there is a quorum."""
    (passkey,) = core.citizens.factors.passkeys_of(keeper.person_id)
    key = passkey_of_custodian(passkey)
    joining = parameters_of(Change.ADD, keeper.name, key=key, person_id=keeper.person_id)
    core.custodians.change_freely(joining, actor="cli:test")


def ask(core: Core, requester: str = "cli:root") -> KeyRequest:
    key = core.keys.list()[0].id
    parameters = {"key": key, "reason": "pindah ke HSM baru"}
    return core.dual_control.request(KeyAct.RETIRE, parameters, requester=requester)
