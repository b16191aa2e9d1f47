"""What waits, for the administrators of the agency and for auditors, as one router."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter

from identity.agencies.changes import ClientChanges
from identity.agencies.errors import ProposalChanged, ProposalNotOpen, ProposalUnknown, ProposerGone
from identity.agencies.proposals import NewScopes, Review, require_overseer
from identity.agencies.service import Agencies
from identity.errors import JwkInvalid
from identity.operators.errors import FourEyesNeeded, RoleMissing
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.people.errors import PersonUnknown
from identity.people.service import People
from identity.ports import Clock
from identity.web.duty import Duty
from identity.web.errors import PageUnknown
from identity.web.proposals.words import WORDS
from identity.web.shell import Form, Response, Section, Shell, Visit

_WORDS: Final[dict[type[Exception], str]] = {
    FourEyesNeeded: "own_proposal",
    ProposalChanged: "proposal_changed",
    ProposerGone: "proposer_gone",
}


def router(
    shell: Shell,
    *,
    changes: ClientChanges,
    agencies: Agencies,
    operators: Operators,
    people: People,
    administrators: Duty,
    auditors: Duty,
    clock: Clock,
) -> APIRouter:
    """Everything under ``/proposals``, for the holders of either duty."""

    def guard(visit: Visit) -> None:
        is_auditor = operators.powers(visit.session.person_id).has(Role.AUDITOR)
        (auditors if is_auditor else administrators).guard(visit)

    section = shell.section("identity.web.proposals", words=WORDS, guard=guard)

    def name(person_id: str) -> str:
        """People who are gone keep the id that the audit trail knows them by."""
        try:
            return people.get(person_id).name
        except PersonUnknown:
            return person_id

    def wanted(visit: Visit) -> Review:
        """The proposal that the address names. One that is not theirs to see is as good as none."""
        try:
            review = changes.review(visit.parameter("proposal"))
            require_overseer(operators.powers(visit.session.person_id), review.proposal.agency_id)
        except (ProposalUnknown, RoleMissing):
            raise PageUnknown from None
        return review

    def values(visit: Visit, review: Review) -> dict[str, Any]:
        proposal, is_open = review.proposal, review.proposal.is_open_at(clock())
        everything = () if isinstance(proposal.change, NewScopes) else proposal.change.keys
        return {
            "title": review.name,
            "proposal": proposal,
            "agency": agencies.agency(proposal.agency_id),
            "proposer": name(proposal.proposed_by),
            "decider": None if proposal.decided_by is None else name(proposal.decided_by),
            "state": proposal.state if is_open or proposal.decided_at else "lapsed",
            "waits": is_open,
            "is_own": proposal.proposed_by == visit.session.person_id,
            "keys": review.gained_keys if is_open else everything,
            "review": review,
            "back": "/proposals",
        }

    _add_list(section, changes=changes, agencies=agencies, operators=operators, name=name)

    @section.page("/proposals/{proposal}")
    def proposal_page(visit: Visit) -> Response:
        administrators.act(visit)
        return visit.show("proposal.html", **values(visit, wanted(visit)))

    @section.form("/proposals/{proposal}")
    def proposal_posted(visit: Visit, form: Form) -> Response:
        """One address for what can be done; ``act`` tells which."""
        actor, review = administrators.act(visit), wanted(visit)
        try:
            if form.text("act") == "withdraw":
                changes.withdraw(review.proposal.id, actor=actor)
            elif form.text("act") == "confirm":
                if not form.text("compared"):
                    missing = {"compared": "compared_missing"}
                    return visit.show("proposal.html", errors=missing, **values(visit, review))
                changes.confirm(review.proposal.id, seen=form.text("seen"), confirmer_id=actor)
        except ProposalNotOpen:  # by a colleague, just now: the page says so
            pass
        except (FourEyesNeeded, ProposalChanged, ProposerGone) as error:
            wrong = {"": _WORDS[type(error)]}
            return visit.show("proposal.html", errors=wrong, **values(visit, wanted(visit)))
        except JwkInvalid as error:
            wrong = {"": visit.says("keys_impossible", reason=str(error))}
            return visit.show("proposal.html", errors=wrong, **values(visit, wanted(visit)))
        return visit.go(f"/proposals/{review.proposal.id}")

    return section.router


def _add_list(
    section: Section, *, changes: ClientChanges, agencies: Agencies, operators: Operators, name: Any
) -> None:
    @section.page("/proposals")
    def proposals_page(visit: Visit) -> Response:
        me = visit.session.person_id
        powers = operators.powers(me)
        own = None if powers.has(Role.AUDITOR) else set(powers.agencies(Role.AGENCY_ADMINISTRATOR))
        listed = [review for review in changes.waiting() if own is None or review.proposal.agency_id in own]
        return visit.show(
            "proposals.html",
            title="proposals_heading",
            for_me=[review for review in listed if review.proposal.proposed_by != me],
            mine=[review for review in listed if review.proposal.proposed_by == me],
            agencies={
                agency_id: agencies.agency(agency_id).name
                for agency_id in {review.proposal.agency_id for review in listed}
            },
            names={
                person_id: name(person_id) for person_id in {review.proposal.proposed_by for review in listed}
            },
            back="/operators" if own is None else "/agency",
            back_text="back_operators" if own is None else "back_agencies",
        )
