"""The jobs on passkeys: two ceremonies, each over a challenge that one answer may use once."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from identity.factors.errors import (
    FactorUnknown,
    PasskeyChallengeGone,
    PasskeyCounterWentBack,
    PasskeyExists,
    PasskeysTooMany,
    PasskeyUnknown,
)
from identity.factors.jobs import FactorJobs, new_id
from identity.factors.model import Ceremony, Challenge, Factor, FactorKind, Passkey
from identity.factors.passkey_tables import ChallengeTable, PasskeyTable
from identity.factors.passkeys import PasskeyChallenge

_NAME_LENGTH: Final = 60


class PasskeyJobs(FactorJobs):
    """A challenge is used up in a transaction of its own, so that a refused answer cannot bring it back."""

    def begin_passkey(self, person_id: str) -> PasskeyChallenge:
        """Options for registering one more. Raises ``PasskeysTooMany`` or ``HolderUnknown``."""
        with self._read() as tx:
            contact = self._contact(tx, person_id)
            existing = PasskeyTable(tx).of(person_id)
        self._require_room(existing)
        challenge = self._new_challenge(Ceremony.REGISTRATION, person_id)
        options = self._relying_party.creation_options(
            challenge=challenge.challenge,
            person_id=person_id,
            account=contact.email or contact.name,
            name=contact.name,
            existing=existing,
        )
        return PasskeyChallenge(challenge.id, options)

    def confirm_passkey(
        self, person_id: str, challenge_id: str, response_json: str, *, name: str = ""
    ) -> Factor:
        """Register the passkey that answered; ``name`` is the person's word for it.

        Raises a leaf of :class:`identity.factors.errors.PasskeyRefused`.
        """
        # 1. Whatever comes of it, the challenge is used up.
        challenge = self._take_challenge(challenge_id, Ceremony.REGISTRATION, person_id)
        # 2. Verify.
        registered = self._relying_party.register(response_json, challenge=challenge.challenge)
        passkey = Passkey(
            id=new_id("passkey"),
            person_id=person_id,
            credential_id=registered.credential_id,
            public_key=registered.public_key,
            sign_count=registered.sign_count,
            backup_eligible=registered.backup_eligible,
            transports=registered.transports,
            name=_tidy(name),
            created_at=self._clock(),
        )
        # 3. Keep it.
        try:
            with self._begin() as tx:
                self._lock(tx, person_id)
                self._require_room(PasskeyTable(tx).of(person_id))
                PasskeyTable(tx).add(passkey)
                self._announce(
                    tx,
                    person_id,
                    "factor.added",
                    FactorKind.PASSKEY,
                    facts={"id": passkey.id},
                    name=passkey.name,
                )
        except IntegrityError as cause:
            raise PasskeyExists from cause
        return Factor(passkey.id, FactorKind.PASSKEY, passkey.name, passkey.created_at)

    def rename_passkey(self, person_id: str, factor_id: str, name: str) -> None:
        """Raises :class:`identity.factors.errors.FactorUnknown`."""
        with self._begin() as tx:
            if not PasskeyTable(tx).rename(factor_id, person_id=person_id, name=_tidy(name)):
                raise FactorUnknown

    def passkey_options(self, person_id: str | None) -> PasskeyChallenge:
        """Options for logging in; None lets the device say whose passkey it is."""
        allowed: list[Passkey] = []
        if person_id is not None:
            with self._read() as tx:
                allowed = PasskeyTable(tx).of(person_id)
        challenge = self._new_challenge(Ceremony.AUTHENTICATION, person_id)
        options = self._relying_party.request_options(challenge=challenge.challenge, allowed=allowed)
        return PasskeyChallenge(challenge.id, options)

    def check_passkey(self, challenge_id: str, response_json: str, person_id: str | None) -> str:
        """Whose passkey answered. ``person_id`` as it was given to :meth:`passkey_options`.

        Raises a leaf of :class:`identity.factors.errors.PasskeyRefused`.
        """
        # 1. Whatever comes of it, the challenge is used up.
        challenge = self._take_challenge(challenge_id, Ceremony.AUTHENTICATION, person_id)
        # 2. It is theirs, verified and used.
        return self._used(response_json, person_id, challenge.challenge).person_id

    def _used(self, response_json: str, person_id: str | None, challenge: bytes) -> Passkey:
        # 1. Find the passkey, and verify.
        assertion = self._relying_party.read(response_json)
        with self._read() as tx:
            passkey = PasskeyTable(tx).find(assertion.credential_id)
        if passkey is None or person_id not in (None, passkey.person_id):
            raise PasskeyUnknown
        count = self._relying_party.verify(assertion, passkey, challenge=challenge)
        # 2. The counter grows, or two authenticators share a key: refuse, and let it be known.
        now = self._clock()
        with self._begin() as tx:
            table = PasskeyTable(tx)
            accepted = table.advance(passkey.id, sign_count=count, now=now)
            suspected = not accepted and table.suspect(passkey.id, now)
            if suspected:
                self._announce(
                    tx,
                    passkey.person_id,
                    "passkey.suspected",
                    FactorKind.PASSKEY,
                    facts={"id": passkey.id},
                    name=passkey.name,
                )
        if suspected:
            raise PasskeyCounterWentBack
        if not accepted:  # removed meanwhile
            raise PasskeyUnknown
        return passkey

    # A statement is an answer to a challenge that its words make, kept with them as their proof.

    def passkeys_of(self, person_id: str) -> list[Passkey]:
        """Oldest first."""
        with self._read() as tx:
            return PasskeyTable(tx).of(person_id)

    def statement_options(self, person_id: str, challenge: bytes) -> PasskeyChallenge:
        """Options for signing a statement whose digest is ``challenge``, 32 bytes that nobody met before."""
        options = self._relying_party.request_options(
            challenge=challenge, allowed=self.passkeys_of(person_id)
        )
        return PasskeyChallenge("", options)

    def check_statement(self, person_id: str, response_json: str, challenge: bytes) -> Passkey:
        """Which passkey of theirs signed. Raises a leaf of :class:`identity.factors.errors.PasskeyRefused`.

        The statement's own words keep it from being made twice; its passkey's counter moves on here.
        """
        return self._used(response_json, person_id, challenge)

    def is_statement(
        self, answer: bytes, *, credential_id: bytes, public_key: bytes, person_id: str, challenge: bytes
    ) -> bool:
        """See :meth:`identity.factors.passkeys.RelyingParty.is_statement`."""
        return self._relying_party.is_statement(
            answer,
            credential_id=credential_id,
            public_key=public_key,
            person_id=person_id,
            challenge=challenge,
        )

    def has_passkey(self, tx: Connection, person_id: str) -> bool:
        """Within the caller's transaction."""
        return bool(PasskeyTable(tx).of(person_id))

    def passkey_stands(self, tx: Connection, person_id: str, response_json: str) -> bool:
        """Within the caller's transaction: whether the passkey that answered is still theirs."""
        passkey = PasskeyTable(tx).find(self._relying_party.read(response_json).credential_id)
        return passkey is not None and passkey.person_id == person_id

    def _new_challenge(self, ceremony: Ceremony, person_id: str | None) -> Challenge:
        expires_at = self._clock() + self._policy.challenge_lifetime
        challenge = Challenge(new_id("challenge"), ceremony, person_id, secrets.token_bytes(32), expires_at)
        with self._begin() as tx:
            ChallengeTable(tx).add(challenge)
        return challenge

    def _take_challenge(self, challenge_id: str, ceremony: Ceremony, person_id: str | None) -> Challenge:
        with self._begin() as tx:
            challenge = ChallengeTable(tx).take(
                challenge_id, ceremony=ceremony, person_id=person_id, now=self._clock()
            )
        if challenge is None:
            raise PasskeyChallengeGone
        return challenge

    def _require_room(self, existing: Collection[Passkey]) -> None:
        if len(existing) >= self._policy.most_passkeys:
            raise PasskeysTooMany(most=self._policy.most_passkeys)


def _tidy(name: str) -> str:
    """A person's word for a device: on one line, printable, and short enough for every list."""
    printable = "".join(character if character.isprintable() else " " for character in name[:1000])
    return " ".join(printable.split())[:_NAME_LENGTH]
