"""Losses as a table: what is lost when, what verification then says, online and offline, and who agrees."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import pytest

from app.compromise.errors import CaseDecided, CaseInvalid, CaseUnknown, DecisionMissing, NoIndependentTime
from app.compromise.model import Counts, Step
from app.provisioning import certify_agency
from app.register import RegisterTrust
from ca.errors import TimeNotAvailable
from ca.model import CertificateStatus, ProfileName, RevocationReason
from ca.tables import Certificates
from keys.errors import KeyUnknown
from keys.model import KeyPurpose, KeyState
from signing.archive import evidence_record, root_of, stamped_root
from signing.model import StateReason
from signing.ports import Caller
from signing.tables import DocumentTable
from tests.app.compromise.conftest import HOUR, SCOPES, Town, finish, forget
from verify import any_shape
from verify.service import VerificationService
from verify.trust import TrustStore

Unit = Callable[[], str]


def offline(town: Town, document: str) -> str:
    """By the file alone, as a relying party sees it who has the newest lists and nothing else."""
    trust = RegisterTrust(town.core.database.read, town.core.settings.trust_dir)()
    without_register: VerificationService = VerificationService(
        documents=None, trust=lambda: trust, clock=town.clock, foreign=any_shape.validate
    )
    return without_register.by_file(BytesIO(town.file(document))).outcome.value


def careful(town: Town, document: str) -> str:
    """By pyHanko, under our own rules about lost time-stamping units."""
    trust: TrustStore = town.core.trust()
    from verify.findings import Limits

    found = any_shape.validate(BytesIO(town.file(document)), trust=trust, now=town.clock(), limits=Limits())
    return found.signatures[0].outcome.value


def everyone(town: Town, documents: list[str]) -> set[tuple[str, str, str]]:
    """What the register, the file alone and pyHanko say. pyHanko, who takes ten times as long as we do, is
    asked about the first and the last: ``documents`` differ in their number only."""
    heard = {one: careful(town, one) for one in {documents[0], documents[-1]}}
    said = heard[documents[0]]
    return {(town.outcome(one), offline(town, one), heard.get(one, said)) for one in documents}


def _successors(town: Town) -> list[str]:
    return [str(town.document(one).superseded_by) for one in town.before + town.after]


@pytest.mark.either_database
def test_verdicts_agree_online_and_offline_at_every_moment_of_a_case(town: Town) -> None:
    valid = ("valid", "valid", "valid")
    assert everyone(town, town.before + town.after) == {valid}
    case = town.open()
    assert everyone(town, town.before) == {valid}
    assert everyone(town, town.after) == {("cannot_say", "cannot_say", "cannot_say")}
    seen = []
    while town.answer.may_go_on(case):
        town.wait()
        seen.append(case.step)
        case = town.answer.advance(case.id)
        assert everyone(town, town.before) == {valid}, case.step
        after = everyone(town, town.after)
        if case.step in {Step.REVOKE}:
            assert after == {("cannot_say", "cannot_say", "cannot_say")}
        elif case.step in {Step.RENEW, Step.RESEAL} and Step.RESEAL not in seen:
            assert after == {("revoked", "revoked", "revoked")}
    assert seen[:4] == [Step.DECIDE, Step.REVOKE, Step.RENEW, Step.RESEAL]
    assert everyone(town, town.after) == {("superseded", "revoked", "revoked")}
    successors = [str(town.document(one).superseded_by) for one in town.after]
    assert everyone(town, successors) == {valid}


@pytest.mark.either_database
def test_the_public_process_says_the_same(town: Town) -> None:
    from contextlib import ExitStack

    from app.database import Database
    from app.public import build_public_app
    from tests.support.asgi import InProcess

    finish(town, town.open(reseals=False))
    with ExitStack() as closing:
        database = Database.from_settings(town.core.settings)
        closing.callback(database.close)
        public = InProcess(build_public_app(town.core.settings, database, closing=closing, clock=town.clock))
        found = [public.get(f"/v1/verifications/{one}").json() for one in town.before + town.after]
        assert [one["outcome"] for one in found] == ["valid"] * 3 + ["revoked"] * 3
        assert found[-1]["reasons"][0]["code"] == "seal_key_lost"
        assert found[0]["reasons"][-1]["code"] == "sealed_before_loss"
        page = public.get(f"/d/{town.after[0]}?lang=en").text
        assert "Nobody can tell it from a forgery" in page
        uploaded = public.post("/v1/verifications", files={"file": ("a.pdf", town.file(town.after[0]))})
        assert uploaded.json()["outcome"] == "revoked"


@pytest.mark.either_database
def test_a_lost_unit_is_replaced_first_and_what_it_stamped_gets_a_time_from_elsewhere(
    town: Town, unit_of: Unit
) -> None:
    lost = unit_of()
    documents = town.before + town.after
    case = town.open(lost)
    assert everyone(town, documents) == {("valid", "valid", "valid")}
    steps = []
    while town.answer.may_go_on(case):
        town.wait()
        steps.append(case.step)
        case = town.answer.advance(case.id)
        assert everyone(town, documents) == {("valid", "valid", "valid")}, case.step
    assert steps.index(Step.RESTAMP) < steps.index(Step.REVOKE)
    assert case.step is Step.CLOSED
    (certificate,) = town.answer.certificates(lost)
    assert certificate.status is CertificateStatus.REVOKED
    assert unit_of() != lost
    for one in documents:
        document = town.document(one)
        assert document.sealed_digest is not None
        with town.core.database.read() as tx:
            ((token, path),) = DocumentTable(tx).evidence_of(one)
        assert root_of(document.sealed_digest, path) == stamped_root(token)
        assert evidence_record(document.sealed_digest, token, path)
    assert town.answer.counts(case) == Counts(after=6)


@pytest.mark.either_database
def test_what_was_stamped_again_outlives_a_later_loss_of_its_seal_key(town: Town, unit_of: Unit) -> None:
    finish(town, town.open(unit_of()))
    town.wait(2 * HOUR)
    town.lost_at = town.clock() - HOUR
    case = finish(town, town.open())
    assert [town.outcome(one) for one in town.before + town.after] == ["valid"] * 6
    assert town.answer.counts(case) == Counts(before=6)


def test_a_second_lost_unit_takes_along_what_it_only_stamped_again(town: Town, unit_of: Unit) -> None:
    documents = town.before + town.after
    finish(town, town.open(unit_of()))
    town.wait(HOUR)
    case = finish(town, town.open(unit_of()))  # the one that stamped again
    assert town.answer.counts(case).total == len(documents), "each is on the list, once"
    for one in documents:
        with town.core.database.read() as tx:
            assert len(DocumentTable(tx).evidence_of(one)) == 2
    town.wait(2 * HOUR)
    town.lost_at = town.clock() - HOUR
    finish(town, town.open())
    assert {town.outcome(one) for one in documents} == {"valid"}, "proven by the third unit"


@pytest.mark.either_database
@pytest.mark.parametrize("unit_first", [True, False], ids=["the unit first", "the seal first"])
def test_a_thief_with_seal_key_and_unit_leaves_nothing_provable_so_everything_is_sealed_anew(
    town: Town, unit_of: Unit, unit_first: bool
) -> None:
    lost = [unit_of(), town.key] if unit_first else [town.key, unit_of()]
    cases = [town.open(key).id for key in lost]  # both are stopped before either goes on
    for _ in range(20):
        for case in cases:
            town.wait()
            with suppress(TimeNotAvailable):  # until the other case has a new unit
                town.answer.advance(case)
    assert {town.answer.get(case).step for case in cases} == {Step.CLOSED}
    for one in town.before + town.after:
        old = town.document(one)
        assert (town.outcome(one), offline(town, one)) == ("superseded", "revoked")
        assert town.outcome(str(old.superseded_by)) == offline(town, str(old.superseded_by)) == "valid"


def test_a_lost_ca_takes_everything_under_it_along_and_a_new_one_takes_over(town: Town) -> None:
    lost = town.core.keys.newest(KeyPurpose.ISSUING_CA).id
    town.clock.advance(HOUR)
    case = town.open(lost)
    assert {town.outcome(one) for one in town.before + town.after} == {"cannot_say"}
    case = finish(town, case)
    assert case.step is Step.CLOSED
    with town.core.database.read() as tx:
        register = Certificates(tx)
        (revoked,) = [one for one in register.all_of_key(lost) if one.name == one.name.partition("-by-")[0]]
        assert revoked.status is CertificateStatus.REVOKED
        assert revoked.reason is RevocationReason.CA_COMPROMISE
    assert town.core.keys.newest(KeyPurpose.ISSUING_CA).id != lost
    forget(town.core)
    for one in town.before + town.after:
        assert (town.outcome(one), offline(town, one)) == ("superseded", "revoked")
    assert everyone(town, _successors(town)) == {("valid", "valid", "valid")}
    assert town.outcome(town.seal("new").id) == "valid"


@pytest.mark.either_database
def test_at_no_moment_of_a_lost_ca_is_anything_valid_that_only_it_vouches_for(town: Town) -> None:
    documents = town.before + town.after
    case = town.open(town.core.keys.newest(KeyPurpose.ISSUING_CA).id)
    held = lost = False
    while town.answer.may_go_on(case):
        said = everyone(town, documents)
        held = held or said == {("cannot_say", "cannot_say", "cannot_say")}
        lost = lost or said == {("revoked", "revoked", "revoked")}
        for register, file, pyhanko in said:
            assert register in {"cannot_say", "revoked", "superseded"}, case.step
            assert file == pyhanko == ("cannot_say" if register == "cannot_say" else "revoked"), case.step
        town.wait()
        case = town.answer.advance(case.id)
    assert (held, lost, case.step) == (True, True, Step.CLOSED)


@pytest.mark.either_database
def test_an_old_ca_that_is_lost_after_its_rollover_takes_along_only_what_stands_on_it(town: Town) -> None:
    core = town.core
    old = core.keys.newest(KeyPurpose.ISSUING_CA)
    new = core.keys.generate(KeyPurpose.ISSUING_CA, old.algorithm)
    core.hierarchy.certify_successor(ProfileName.ISSUING, "", new.id, actor="test")
    core.keys.activate(new.id)
    core.hierarchy.cross_certify(actor="test")
    core.keys.deactivate(town.key)
    certify_agency(core, core.agencies.agency("dinas"), actor="test")
    town.wait()
    mixed = town.seal("under the new CA, stamped under the old one").id
    town.wait(HOUR)
    case = finish(town, town.open(old.id))
    assert case.step is Step.CLOSED
    for one in town.before + town.after:
        assert (town.outcome(one), offline(town, one)) == ("superseded", "revoked")
    assert everyone(town, _successors(town)) == {("valid", "valid", "valid")}
    # Its seal stands, but its receipt's certificate does not: without the register that is for nobody to say.
    assert everyone(town, [mixed]) == {("valid", "cannot_say", "valid")}
    with core.database.read() as tx:
        assert len(DocumentTable(tx).evidence_of(mixed)) == 1, "it got a time from elsewhere"
        revoked = list(Certificates(tx).all_of_key(old.id))
    assert len(revoked) > 1, "the cross-certificate too"
    assert {one.status for one in revoked} == {CertificateStatus.REVOKED}
    assert core.keys.newest(KeyPurpose.ISSUING_CA).id == new.id


@pytest.mark.either_database
def test_a_second_loss_of_the_emergency_key_is_answered_like_the_first(town: Town) -> None:
    finish(town, town.open())
    second = [str(town.document(one).superseded_by) for one in town.after]
    town.wait(HOUR)
    finish(town, town.open())
    for one in second:
        assert town.outcome(one) == "superseded"
        assert town.outcome(str(town.document(one).superseded_by)) == "valid"


def test_an_earlier_loss_that_is_found_out_later_takes_more_documents_along(town: Town) -> None:
    lost = town.key
    finish(town, town.open())
    town.lost_at -= 2 * HOUR
    case = finish(town, town.open(lost))
    assert case.step is Step.CLOSED
    assert [town.outcome(one) for one in town.before] == ["superseded"] * 3
    (certificate,) = town.answer.certificates(lost)
    assert certificate.revocation_date == town.lost_at


@pytest.mark.either_database
def test_an_undecided_case_is_moved_back_by_reporting_it_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = town.open()
    town.lost_at -= 2 * HOUR
    again = town.open(case.key_id)
    assert (again.id, again.since) == (case.id, town.lost_at)
    finish(town, again)
    assert [town.outcome(one) for one in town.before] == ["superseded"] * 3


def test_what_left_force_is_not_sealed_anew(town: Town) -> None:
    caller = Caller("client-1", "dinas", "Dinas Contoh", SCOPES)
    revoked, replaced, successor = town.after
    town.core.register.revoke(caller, revoked, StateReason.FRAUD)
    town.core.register.supersede(caller, replaced, successor)
    finish(town, town.open())
    assert town.outcome(revoked) == "revoked"
    assert town.document(replaced).superseded_by == successor
    assert town.document(successor).superseded_by is not None


@pytest.mark.either_database
def test_without_sealing_anew_the_case_ends_and_documents_wait_for_their_agency(town: Town) -> None:
    case = finish(town, town.open(reseals=False))
    assert case.step is Step.CLOSED
    assert [town.outcome(one) for one in town.after] == ["revoked"] * 3
    assert town.answer.counts(case) == Counts(before=3, after=3, waiting=3)


@pytest.mark.either_database
def test_no_unit_that_stands_on_the_lost_key_gives_the_new_time(
    town: Town, unit_of: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = town.open(unit_of())
    monkeypatch.setitem(town.answer._renew, KeyPurpose.TIMESTAMPING, lambda _: None)  # type: ignore[arg-type]
    with pytest.raises(NoIndependentTime):
        finish(town, case)
    assert town.answer.get(case.id).step is Step.RESTAMP


@pytest.mark.either_database
def test_a_key_that_signs_no_more_can_still_turn_out_to_be_lost(town: Town) -> None:
    key = town.key
    town.core.keys.deactivate(key)
    assert town.open(key).step is Step.DECIDE
    case = finish(town, town.answer.list()[0])
    assert case.step is Step.CLOSED
    assert town.core.keys.get(key).state is KeyState.COMPROMISED
    assert [town.outcome(one) for one in town.after] == ["superseded"] * 3


@pytest.mark.either_database
@pytest.mark.parametrize(
    "purpose", [KeyPurpose.RECEIPT, KeyPurpose.OCSP, KeyPurpose.TOKEN, KeyPurpose.WRAPPING]
)
def test_keys_that_seal_nothing_are_replaced(town: Town, purpose: KeyPurpose) -> None:
    owner = "issuing-1" if purpose is KeyPurpose.OCSP else ""
    lost = town.core.keys.newest(purpose, owner).id
    case = finish(town, town.open(lost))
    assert case.step is Step.CLOSED
    assert town.core.keys.get(lost).state is KeyState.COMPROMISED
    assert town.core.keys.newest(purpose, owner).id != lost
    assert town.outcome(town.seal("new").id) == "valid"
    # Offline nobody can say whose receipts a lost key signed, but of those that were sealed, provably, before
    # the loss; what a lost responder said the lists say, too.
    assert everyone(town, town.before) == {("valid", "valid", "valid")}
    offline = "cannot_say" if purpose is KeyPurpose.RECEIPT else "valid"
    assert everyone(town, town.after) == {("valid", offline, "valid")}


@pytest.mark.either_database
def test_what_makes_no_sense_is_refused_before_anything_happens(town: Town) -> None:
    with pytest.raises(KeyUnknown):
        town.open("seal-unknown")
    with pytest.raises(CaseUnknown):
        town.answer.get("case-unknown")
    with pytest.raises(CaseInvalid, match="trust list"):
        town.open(town.core.keys.newest(KeyPurpose.ROOT_CA).id)
    town.lost_at = town.clock() + HOUR
    with pytest.raises(CaseInvalid, match="future"):
        town.open()
    assert town.answer.list() == []
    assert town.core.keys.get(town.key).state is KeyState.ACTIVE


@pytest.mark.either_database
def test_a_decided_case_is_not_withdrawn(town: Town) -> None:
    case = town.answer.advance(town.open().id)
    assert case.step is Step.REVOKE
    with pytest.raises(CaseDecided):
        town.answer.withdraw(case.id, actor="cli:test")


@pytest.mark.either_database
def test_a_row_that_says_decided_without_a_decision_revokes_nothing(town: Town) -> None:
    from sqlalchemy import update

    from app.compromise.tables import cases

    case = town.open()
    with town.core.database.begin() as tx:
        tx.execute(update(cases).values(step=Step.REVOKE.value))
    with pytest.raises(DecisionMissing):
        town.answer.advance(case.id)
    assert town.core.keys.get(case.key_id).state is KeyState.SUSPENDED


@pytest.mark.either_database
def test_a_decision_about_another_time_is_none(town: Town) -> None:
    from sqlalchemy import update

    from app.compromise.tables import cases

    case = town.answer.advance(town.open().id)
    with town.core.database.begin() as tx:
        tx.execute(update(cases).values(since=town.lost_at - HOUR))
    with pytest.raises(DecisionMissing):
        town.answer.advance(case.id)
