"""An agency's systems: registered with their public keys, changed, shut out, by the agency itself.

What gives a system more only waits from here: see :mod:`identity.agencies.changes`.
"""

from __future__ import annotations

from typing import Any, Final

from identity.agencies.changes import Asked, ClientChanges
from identity.agencies.errors import ClientKeyUnknown, ClientShut, ProposalWaits
from identity.agencies.model import ISSUE_ANY, ISSUE_PREFIX, READ, REVOKE, Binding, Client
from identity.agencies.service import Agencies
from identity.errors import ClientUnknown, IdentityError, JwkInvalid, NameInvalid, ScopeInvalid
from identity.web.agency.parts import Administration
from identity.web.errors import PageUnknown
from identity.web.shell import Form, Response, Section, Visit

_LONGEST_KEYS: Final = 48 * 1024


def add_clients(section: Section, administration: Administration) -> None:
    _add_new(section, administration)
    _add_one(section, administration)


def _add_new(section: Section, administration: Administration) -> None:
    changes = administration.changes

    def values(visit: Visit) -> dict[str, Any]:
        agency = administration.agency(visit)
        return {
            "title": "new_client_heading",
            "agency": agency,
            "held": _boxes(frozenset()),
            "back": f"/agency/{agency.id}",
        }

    @section.page("/agency/{agency}/clients/new")
    def new_page(visit: Visit) -> Response:
        administration.duty.act(visit)
        return visit.show("new_client.html", **values(visit))

    @section.form("/agency/{agency}/clients/new")
    def new_posted(visit: Visit, form: Form) -> Response:
        agency, actor = administration.agency(visit), administration.duty.act(visit)
        try:
            asked = changes.register(
                agency.id,
                name=form.text("name", most=120),
                scopes=_scopes(form),
                jwks=form.block("jwks", most=_LONGEST_KEYS),
                binding=Binding.MTLS if form.text("binding") == "mtls" else Binding.DPOP,
                is_sandbox=bool(form.text("sandbox")),
                actor=actor,
            )
        except (NameInvalid, ScopeInvalid, JwkInvalid) as error:
            return visit.show("new_client.html", errors=_wrong(visit, error), typed=form, **values(visit))
        return _next(visit, agency.id, asked)


def _add_one(section: Section, administration: Administration) -> None:
    agencies, changes = administration.agencies, administration.changes

    def wanted(visit: Visit) -> Client:
        agency = administration.agency(visit)
        try:
            client = agencies.client(visit.parameter("client"))
        except ClientUnknown:
            raise PageUnknown from None
        if client.agency_id != agency.id:
            raise PageUnknown
        return client

    def values(visit: Visit, client: Client) -> dict[str, Any]:
        now = administration.clock()
        return {
            "title": client.name,
            "client": client,
            "waiting": [
                review
                for review in changes.waiting(client.agency_id)
                if review.proposal.client_id == client.id
            ],
            "held": _boxes(client.scopes),
            "keys": [key for key in agencies.keys(client.id) if key.is_good_at(now)],
            "back": f"/agency/{client.agency_id}",
        }

    @section.page("/agency/{agency}/clients/{client}")
    def client_page(visit: Visit) -> Response:
        administration.duty.act(visit)
        return visit.show("client.html", **values(visit, wanted(visit)))

    @section.form("/agency/{agency}/clients/{client}")
    def client_posted(visit: Visit, form: Form) -> Response:
        """One address for what can be done; ``act`` tells which."""
        actor, client = administration.duty.act(visit), wanted(visit)
        try:
            asked = _change(agencies, changes, client, form, actor)
        except (JwkInvalid, ScopeInvalid, ClientKeyUnknown, ClientShut, ProposalWaits) as error:
            return visit.show("client.html", errors=_wrong(visit, error), typed=form, **values(visit, client))
        return _next(visit, client.agency_id, asked)


def _change(agencies: Agencies, changes: ClientChanges, client: Client, form: Form, actor: str) -> Asked:
    match form.text("act"):
        case "replace_keys":
            jwks = form.block("jwks", most=_LONGEST_KEYS)
            return changes.replace_keys(client.id, jwks, at_once=bool(form.text("at_once")), actor=actor)
        case "change_scopes":
            return changes.change_scopes(client.id, _scopes(form), actor=actor)
        case "remove_key":
            agencies.remove_key(client.id, form.text("key"), actor=actor)
        case "disable":
            agencies.disable_client(client.id, actor=actor)
    return Asked(client.id)


def _next(visit: Visit, agency_id: str, asked: Asked) -> Response:
    """To what waits, or to the system as it is now."""
    if asked.proposal is not None:
        return visit.go(f"/proposals/{asked.proposal.id}")
    return visit.go(f"/agency/{agency_id}/clients/{asked.client_id}")


def _scopes(form: Form) -> list[str]:
    """The boxes that were ticked; types that were named take the place of all types."""
    named = [f"{ISSUE_PREFIX}{code}" for code in form.text("types").replace(",", " ").split()]
    scopes = named or ([ISSUE_ANY] if form.text("may_issue") else [])
    scopes += [scope for name, scope in (("may_read", READ), ("may_revoke", REVOKE)) if form.text(name)]
    return scopes


def _boxes(scopes: frozenset[str]) -> dict[str, Any]:
    """The reverse of :func:`_scopes`: what the form shows at first."""
    issued = sorted(scope.removeprefix(ISSUE_PREFIX) for scope in scopes if scope.startswith(ISSUE_PREFIX))
    return {
        "may_issue": bool(issued),
        "types": "" if ISSUE_ANY in scopes else " ".join(issued),
        "may_read": READ in scopes,
        "may_revoke": REVOKE in scopes,
    }


def _wrong(visit: Visit, error: IdentityError) -> dict[str, str]:
    """Beside the field. What is wrong with a key set is for a technician, and stands there as it is."""
    match error:
        case NameInvalid():
            return {"name": "client_name_wrong"}
        case ScopeInvalid():
            return {"may_issue": "scopes_wrong"}
        case ClientShut():
            return {"": "client_shut"}
        case ProposalWaits():
            return {"": "proposal_waits"}
        case _:
            return {"jwks": visit.says("jwks_wrong", reason=str(error))}
