"""The agency's pages as one router."""

from __future__ import annotations

from fastapi import APIRouter

from identity.operators.desk import Desk
from identity.operators.model import GrantState, Role
from identity.web.agency.clients import add_clients
from identity.web.agency.parts import Administration
from identity.web.agency.signatories import add_signatories
from identity.web.agency.words import WORDS
from identity.web.shell import Response, Section, Shell, Visit


def router(shell: Shell, administration: Administration, desk: Desk) -> APIRouter:
    """Everything under ``/agency``."""
    section = shell.section("identity.web.agency", words=WORDS, guard=administration.duty.guard)
    _add_overview(section, administration)
    add_clients(section, administration)
    add_signatories(section, administration, desk)
    return section.router


def _add_overview(section: Section, administration: Administration) -> None:
    @section.page("/agency")
    def agencies_page(visit: Visit) -> Response:
        own = administration.own(visit)
        if len(own) == 1:
            return visit.go(f"/agency/{own[0]}")
        listed = [administration.agencies.agency(agency_id) for agency_id in own]
        return visit.show("agencies.html", title="agencies_heading", agencies=listed, back="/account")

    @section.page("/agency/{agency}")
    def agency_page(visit: Visit) -> Response:
        agency = administration.agency(visit)
        signatories = [
            grant for grant in administration.operators.grants(agency.id) if grant.role is Role.SIGNATORY
        ]
        return visit.show(
            "agency.html",
            title=agency.name,
            agency=agency,
            clients=administration.agencies.clients(agency.id),
            proposals=len(administration.changes.waiting(agency.id)),
            portals=administration.portals.all(agency.id),
            signatories=len(signatories),
            waiting=sum(grant.state is GrantState.PROPOSED for grant in signatories),
            back="/account",
        )
