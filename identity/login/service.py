"""A person logs in: password, half session, second factor, session; or by passkey alone. And proves it anew.

Whoever has no account and whoever mistyped a password get one answer after the same work: the same look-ups,
one Argon2 hash, the same writes. Mails are written down with the act and sent by somebody else, later.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Connection

from identity.factors.errors import PasskeyRefused, PasswordsBusy
from identity.factors.model import FactorKind
from identity.factors.passkeys import PasskeyChallenge
from identity.login.errors import (
    AccountSuspended,
    HalfSessionGone,
    LoginRefused,
    SessionGone,
    SetupIncomplete,
)
from identity.login.jobs import LONGEST_IDENTIFIER
from identity.login.model import (
    SECOND_FACTORS,
    Acr,
    Answer,
    Device,
    HalfSession,
    Opened,
    Purpose,
    Secret,
    Session,
    new_id,
    require_fresh,
)
from identity.login.notices import Notices
from identity.login.recovery_tables import RepudiationTable
from identity.login.sessions import upgraded
from identity.login.tables import HalfSessionTable, KnownDeviceTable
from identity.login.throttle import Charge, Key, address_charge
from identity.people.model import Person, PersonState


class Login(Notices):
    """See :class:`identity.login.jobs.LoginJobs` for what it stands on.

    ``Notices`` holds known devices and the link "this wasn't me".
    """

    # --- the way in ----------------------------------------------------------------------------------

    def start(self, identifier: str, password: str, device: Device) -> str:
        """Check the password; returns the secret of a half session, for :meth:`second`.

        Raises :class:`identity.login.errors.LoginRefused` or ``LoginDelayed``, and
        :class:`identity.factors.errors.PasswordsBusy`.
        """
        # 1. Whose account, if it is one. Unknown ones are counted like known ones.
        named = self.named(identifier)
        person = self._people.find(identifier[:LONGEST_IDENTIFIER])
        # 2. Pay for the attempt before anything is looked at.
        charges = self._of_known(device, person.id if person else named) or (
            Charge(Key.FACTOR, f"{named} {FactorKind.PASSWORD}"),
            address_charge(device.address),
        )
        ticket = self._throttle.take(*charges)
        # 3. The password; without an account, the same work.
        try:
            checked = self._factors.match_password(person.id if person else None, password)
        except PasswordsBusy:
            self._give_back(ticket)
            raise
        if person is None or checked is None or not self._may_go_on(person):
            self._refused(FactorKind.PASSWORD)
            raise LoginRefused
        with self._begin() as tx:
            # 4. Whoever ends access or replaces the password either waits for us, or was here before.
            self._people.hold_shared(tx, person.id)
            if not self._factors.use_password(tx, checked):
                raise LoginRefused
            # 5. A half session: it says that the password was right, and opens nothing.
            self._throttle.give_back(tx, ticket, clear={Key.FACTOR})
            return self._open_half(tx, person.id, Purpose.SECOND_FACTOR, self._policy.half_lifetime)

    def offered(self, half_secret: str | None) -> tuple[FactorKind, ...]:
        """What the person may answer the half session with. Raises ``HalfSessionGone``."""
        half = self.half_session(half_secret, Purpose.SECOND_FACTOR)
        held = {factor.kind for factor in self._factors.of(half.person_id) if factor.left != 0}
        return tuple(kind for kind in SECOND_FACTORS if kind in held)

    def second(self, half_secret: str | None, answer: Answer, device: Device) -> Opened:
        """Check the second answer, which ends the half session and opens a session.

        A passkey's challenge comes from ``Factors.passkey_options(half_session(...).person_id)``. Raises
        ``HalfSessionGone``, ``AnswerRefused``, ``LoginDelayed``, ``AccountSuspended`` or ``PasswordsBusy``.
        """
        # 1. The half session, and whose it is.
        half = self.half_session(half_secret, Purpose.SECOND_FACTOR)
        # 2. Pay, and look at the answer; a code that was right is used up.
        ticket = self.answered(half.person_id, answer, device)
        with self._begin() as tx:
            # 3. Only now, to its proven holder, an account may say that it is suspended.
            self._require_active(tx, half.person_id)
            # 4. One session for one half session, however many answers were right.
            if not HalfSessionTable(tx).use(half.id):
                raise HalfSessionGone
            # 5. Both factors were right: what wrong ones cost is forgotten.
            self._throttle.give_back(tx, ticket, clear={Key.FACTOR, Key.ACCOUNT, Key.DEVICE})
            # 6. A session with an id that nobody saw before, on a device that is known from now on.
            return self._open(tx, half.person_id, {FactorKind.PASSWORD, answer.kind}, device)

    def with_passkey(self, challenge_id: str, response_json: str, device: Device) -> Opened:
        """Log in by passkey alone: it is two factors. The challenge comes from ``passkey_options(None)``.

        Raises ``LoginRefused``, ``LoginDelayed`` or ``AccountSuspended``.
        """
        # 1. A signature cannot be guessed; what is kept short here is the work, per address.
        ticket = self._throttle.take(address_charge(device.address))
        # 2. Whose passkey answered.
        try:
            person_id = self._factors.check_passkey(challenge_id, response_json, None)
        except PasskeyRefused as cause:
            self._refused(FactorKind.PASSKEY)
            raise LoginRefused from cause
        with self._begin() as tx:
            # 3. A session, unless the account or the passkey was taken away in between.
            self._require_active(tx, person_id)
            if not self._factors.passkey_stands(tx, person_id, response_json):
                raise LoginRefused
            self._throttle.give_back(tx, ticket)
            return self._open(tx, person_id, {FactorKind.PASSKEY}, device)

    def passkey_challenge(self, device: Device) -> PasskeyChallenge:
        """For :meth:`with_passkey`, before anybody said who they are. Raises ``LoginDelayed``.

        Every page with the login form asks for one and each is a row: an address gets no more than people
        behind it could use.
        """
        self._throttle.take(Charge(Key.CHALLENGE, address_charge(device.address).name))
        return self._factors.passkey_options(None)

    def logout(self, secret: str | None) -> None:
        """End the session that ``secret`` opens; without one there is nothing to do."""
        session = self._sessions.find(secret)
        if session is None:
            return
        try:
            self._sessions.end(session.person_id, session.id, actor=session.person_id)
        except SessionGone:  # by another request, a moment ago
            return

    # --- freshness -----------------------------------------------------------------------------------

    def require_fresh(
        self, session: Session, *, acr: str = Acr.AAL2, max_age: timedelta | None = None
    ) -> None:
        """Raises :class:`identity.login.errors.StepUpNeeded` (RFC 9470, 3)."""
        require_fresh(session, now=self._clock(), acr=Acr(acr), max_age=max_age)

    def step_up(self, secret: str | None, answer: Answer, device: Device) -> Opened:
        """Prove it anew within a session, which goes on under a new secret; the old one is dead.

        Raises ``SessionGone``, ``AnswerRefused``, ``LoginDelayed``, ``AccountSuspended``, ``PasswordsBusy``.
        """
        # 1. The session.
        session = self._sessions.find(secret)
        if session is None or secret is None:
            raise SessionGone
        # 2. Pay, and look at the answer.
        ticket = self.answered(session.person_id, answer, device)
        with self._begin() as tx:
            self._require_active(tx, session.person_id)
            # 3. What was proven just now, under a new secret.
            renewed = upgraded(session, answer.kind, self._clock())
            opened = Opened(self._sessions.renew_within(tx, secret, renewed), renewed)
            self._throttle.give_back(tx, ticket, clear={Key.FACTOR, Key.DEVICE})
            self._audit.append(
                tx,
                action="session.stepped_up",
                actor=session.person_id,
                subject=session.person_id,
                facts={"session": session.id, "acr": renewed.acr.value, "factor": answer.kind.value},
            )
        return opened

    # --- setting up factors for the first time -------------------------------------------------------

    def begin_setup(self, person_id: str) -> str:
        """A half session in which factors may be set up, for somebody whose code was just accepted.

        Returns its secret. It ends with :meth:`finish_setup`.
        """
        with self._begin() as tx:
            self._people.hold(tx, person_id)
            HalfSessionTable(tx).end_all(person_id)
            return self._open_half(tx, person_id, Purpose.SETUP, self._policy.setup_lifetime)

    def finish_setup(self, half_secret: str | None) -> Person:
        """The factors are complete. Nobody is logged in by that: the first login shows that they work.

        Raises ``HalfSessionGone`` or ``SetupIncomplete``.
        """
        half = self.half_session(half_secret, Purpose.SETUP)
        if not self._factors.is_complete(half.person_id):
            raise SetupIncomplete
        person = self._people.complete(half.person_id)
        with self._begin() as tx:
            self._people.hold(tx, person.id)
            HalfSessionTable(tx).end_all(person.id)
        return person

    # --- upkeep --------------------------------------------------------------------------------------

    def forget_over(self) -> int:
        """Half sessions, unused devices and links whose time is over. Returns how many."""
        now = self._clock()
        with self._begin() as tx:
            return (
                HalfSessionTable(tx).end_over(now)
                + KnownDeviceTable(tx).forget_unused(now - self._policy.device_lifetime)
                + RepudiationTable(tx).forget_over(now)
            )

    # --- inside --------------------------------------------------------------------------------------

    def _may_go_on(self, person: Person) -> bool:
        """Suspended people learn of it behind the second factor, others not at all."""
        return person.state in {PersonState.ACTIVE, PersonState.SUSPENDED}

    def _require_active(self, tx: Connection, person_id: str) -> None:
        """First act of a transaction that opens something: it stays true until that has committed."""
        person = self._people.hold_shared(tx, person_id)
        if person is None or person.state not in {PersonState.ACTIVE, PersonState.SUSPENDED}:
            raise LoginRefused
        if person.state is PersonState.SUSPENDED:
            raise AccountSuspended

    def _open_half(self, tx: Connection, person_id: str, purpose: Purpose, lifetime: timedelta) -> str:
        now, secret = self._clock(), Secret.new()
        half = HalfSession(new_id(), person_id, purpose, now, now + lifetime)
        HalfSessionTable(tx).add(half, secret.hash)
        return secret.text

    def _open(self, tx: Connection, person_id: str, used: Collection[FactorKind], device: Device) -> Opened:
        opened = self._sessions.open_within(tx, person_id, used, device)
        device_secret = self._remember(tx, person_id, device)
        session = opened.session
        if device_secret is not None:
            self._announce(tx, session)
        self._audit.append(
            tx,
            action="session.opened",
            actor=person_id,
            subject=person_id,
            facts={
                "session": session.id,
                "acr": session.acr.value,
                "amr": " ".join(session.amr),
                "known_device": str(device_secret is None).lower(),
            },
        )
        return Opened(opened.secret, session, device_secret)
