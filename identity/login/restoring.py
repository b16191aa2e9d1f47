"""An account comes back at a counter: an officer has the citizen and the identity card at hand."""

from __future__ import annotations

from identity.login.jobs import moment
from identity.login.recovery_jobs import RecoveryJobs
from identity.people.errors import PersonStateForbids
from identity.people.model import PersonState, ProofingLevel
from identity.people.proofing import Opened


class Restoring(RecoveryJobs):
    """A part of :class:`identity.login.recovery.Recoveries`."""

    def by_officer(self, *, officer_id: str, person_id: str, send: bool = False) -> Opened:
        """An officer has the citizen and the identity card at hand: everything is set up anew, with a code.

        Raises ``PersonUnknown``, ``PersonStateForbids`` or ``PersonDataInvalid`` as
        :meth:`identity.people.service.People.invite_again` does, before anything is taken away.
        """
        person = self._people.get(person_id)
        if person.proofing is not ProofingLevel.IAL2 or person.state is PersonState.SUSPENDED:
            raise PersonStateForbids(
                "Only an account that was proofed at a counter and is not suspended is given back there."
            )
        with self._begin() as tx:
            self._people.end_access(tx, person_id)
            self._factors.drop(tx, person_id)
            self._notice(tx, person_id, "recovery_done", {"when": moment(self._clock())})
            self._audit.append(tx, action="recovery.by_officer", actor=officer_id, subject=person_id)
        # A crash in between leaves an account that nobody can open; the officer repeats this.
        return self._people.invite_again(officer_id=officer_id, person_id=person_id, send=send)
