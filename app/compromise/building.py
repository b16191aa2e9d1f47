"""Puts the answer to a compromise together out of the core, and says what takes over from a lost key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app.compromise.impact import Impact
from app.compromise.model import Case
from app.compromise.news import News
from app.compromise.replacing import Pace, Replacing
from app.compromise.service import Compromise
from app.custody import rotate_token_keys, rotate_wrapping_key, token_key_policy
from app.provisioning import complete_hierarchy, publish_trust
from app.rotation.seals import certify_agreed
from ca.chains import doubt_about_certificate
from ca.tables import Certificates
from identity.errors import IdentityError
from keys.model import KeyPurpose, KeyState

if TYPE_CHECKING:
    from app.wiring import Core


def build_compromise(core: Core) -> Compromise:
    """One for the process: it keeps the pace of sealing anew."""
    database = core.database
    impact = Impact(database.read)
    news = News(outbox=core.outbox, contacts=core.citizens.contacts, clock=core.clock)
    replacing = Replacing(
        begin=database.begin,
        read=database.read,
        clock=core.clock,
        audit=core.audit,
        impact=impact,
        resealing=core.resealing,
        times=core.time_stamping.stampers,
        news=news,
        pace=Pace(core.settings.compromise.documents_per_second),
    )
    hierarchy = partial(_renew_hierarchy, core)
    return Compromise(
        begin=database.begin,
        read=database.read,
        clock=core.clock,
        audit=core.audit,
        keys=core.keys,
        revocation=core.revocation,
        decisions=core.dual_control,
        impact=impact,
        replacing=replacing,
        news=news,
        renew={
            KeyPurpose.SEAL: partial(_renew_seal, core),
            KeyPurpose.ISSUING_CA: partial(_renew_ca, core),
            KeyPurpose.TIMESTAMPING: hierarchy,
            KeyPurpose.OCSP: hierarchy,
            KeyPurpose.RECEIPT: hierarchy,
            KeyPurpose.TOKEN: partial(_renew_tokens, core),
            KeyPurpose.WRAPPING: partial(_renew_wrapping, core),
        },
        publish=lambda: publish_trust(core),
    )


def _renew_seal(core: Core, case: Case) -> None:
    """A new key and certificate of the agency, unless another of its keys is in use already.

    Who agreed to give the key up agreed to that: the request says so."""
    certify_agreed(core, core.agencies.agency(case.owner), actor=case.id)


def _renew_hierarchy(core: Core, case: Case) -> None:
    complete_hierarchy(core, actor=case.id)


def _renew_ca(core: Core, case: Case) -> None:
    """A new CA, and everything that the lost one certified certified by the new one, with new keys.

    What stood under the lost CA is retired: its keys are whole, and nobody can tell their certificates from
    those that the thief makes.
    """
    complete_hierarchy(core, actor=case.id)
    for key in core.keys.list():
        if key.purpose is KeyPurpose.SEAL and key.state is KeyState.ACTIVE and _is_orphan(core, key.id):
            try:
                certify_agreed(core, core.agencies.agency(key.owner), actor=case.id)
            except IdentityError:  # an agency that is gone seals nothing any more
                continue
    for key in core.keys.list():
        if key.state is KeyState.ACTIVE and _is_orphan(core, key.id):
            core.keys.deactivate(key.id, actor=case.id, reason="its certificates stand under a lost CA")
    publish_trust(core)


def _is_orphan(core: Core, key_id: str) -> bool:
    """Whether every certificate of a key stands under a CA that was lost."""
    with core.database.read() as tx:
        doubts = [
            doubt_about_certificate(tx, record.sha256) for record in Certificates(tx).all_of_key(key_id)
        ]
    return bool(doubts) and all(doubt is not None and not doubt.is_hold for doubt in doubts)


def _renew_tokens(core: Core, case: Case) -> None:
    with core.database.exclusively():
        rotate_token_keys(
            core.keys,
            token_key_policy(core.settings),
            clock=core.clock,
            actor=case.id,
            spoken_for=core.rotations.spoken_for(),
        )


def _renew_wrapping(core: Core, case: Case) -> None:
    with core.database.exclusively():
        rotate_wrapping_key(core.keys, core.envelope, actor=case.id)
