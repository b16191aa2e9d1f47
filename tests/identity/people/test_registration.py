"""Registering with a mailbox, and changing it: nobody but the mailbox learns who is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity.people.errors import CodeInvalid, PersonDataInvalid, PersonStateForbids, PersonUnknown
from identity.people.model import Person, PersonState, ProofingLevel
from identity.people.service import People, SuspensionReason
from identity.people.tables import PersonTable
from tests.identity.people.conftest import Post
from tests.support.clock import FrozenClock
from tests.support.databases import Begin

BUDI = "budi@contoh.id"
SITI = "siti@contoh.id"


def registered(people: People, post: Post, email: str = BUDI, name: str = "Budi Santoso") -> Person:
    people.register(name=name, email=email, language="id")
    return people.confirm_email(post.code(email))


def active(people: People, post: Post, email: str = BUDI, name: str = "Budi Santoso") -> Person:
    return people.complete(registered(people, post, email, name).id)


def test_a_mailbox_becomes_an_account_and_factors_make_it_active(
    people: People, post: Post, clock: FrozenClock
) -> None:
    person = registered(people, post)
    assert person.state is PersonState.REGISTERED
    assert person.proofing is ProofingLevel.IAL0
    assert (person.name, person.email, person.email_confirmed_at) == ("Budi Santoso", BUDI, clock())
    assert people.complete(person.id).activated_at == clock()
    assert people.complete(person.id).state is PersonState.ACTIVE
    assert people.get(person.id) == people.find(BUDI) == people.find(" BUDI@Contoh.ID ")
    assert [mail.template for mail in post.to(BUDI)] == ["registration", "account_ready"]


def test_nothing_is_known_about_a_mailbox_before_it_answers(people: People, post: Post, begin: Begin) -> None:
    people.register(name="Budi", email=BUDI, language="id")
    assert people.find(BUDI) is None
    with begin() as tx:
        assert PersonTable(tx).left_behind(PersonState.REGISTERED, people._clock(), most=9) == []


def test_a_known_address_hears_of_it_and_gets_no_code(people: People, post: Post) -> None:
    person = active(people, post)
    people.register(name="Somebody else", email=BUDI.upper(), language="en")
    news = post.all()[-1]
    assert (news.template, news.code, news.language) == ("registration_known", None, "en")
    assert people.get(person.id).name == "Budi Santoso"


def test_the_name_that_a_stranger_typed_is_in_no_mail(people: People, post: Post) -> None:
    people.register(name="Menang Undian", email=BUDI, language="id")
    assert "Menang" not in post.all()[0].values


def test_of_two_requests_the_one_whose_code_came_back_gives_the_name(people: People, post: Post) -> None:
    people.register(name="Orang Lain", email=BUDI, language="en")
    theirs = post.code(BUDI)
    people.register(name="Budi Santoso", email=BUDI, language="id")
    first = people.confirm_email(post.code(BUDI))
    assert first.name == "Budi Santoso"
    again = people.confirm_email(theirs)
    assert again.id == first.id


def test_whoever_did_not_finish_is_led_back_by_another_mail(people: People, post: Post) -> None:
    begun = registered(people, post)
    people.register(name="Budi Santoso", email=BUDI, language="en")
    again = people.confirm_email(post.code(BUDI))
    assert (again.id, again.state, again.language) == (begun.id, PersonState.REGISTERED, "en")


def test_an_old_code_opens_nothing_once_the_account_is_complete(people: People, post: Post) -> None:
    people.register(name="Budi", email=BUDI, language="id")
    unused = post.code(BUDI)
    active(people, post)
    with pytest.raises(CodeInvalid):
        people.confirm_email(unused)


def test_a_code_works_once(people: People, post: Post) -> None:
    people.register(name="Budi", email=BUDI, language="id")
    people.confirm_email(post.code(BUDI))
    with pytest.raises(CodeInvalid):
        people.confirm_email(post.code(BUDI))


def test_a_code_ends(people: People, post: Post, clock: FrozenClock) -> None:
    people.register(name="Budi", email=BUDI, language="id")
    clock.advance(timedelta(hours=24))
    with pytest.raises(CodeInvalid):
        people.confirm_email(post.code(BUDI))


def test_a_code_is_read_as_people_type_it(people: People, post: Post) -> None:
    people.register(name="Budi", email=BUDI, language="id")
    code = post.code(BUDI)
    assert people.confirm_email(f" {code.lower().replace('-', ' ')} ").email == BUDI


def test_what_is_no_code_is_refused_like_any_other(people: People) -> None:
    for code in ("", "0", "A" * 16, "A" * 17, "U" * 16, "🤷" * 16, "A" * 1_000_000, "\0" * 16, "\ud800"):
        for use in (people.confirm_email, people.activate):
            with pytest.raises(CodeInvalid) as refused:
                use(code)
            assert str(refused.value) == str(CodeInvalid())


def test_a_mailbox_is_not_flooded(people: People, post: Post, clock: FrozenClock) -> None:
    for _ in range(5):
        people.register(name="Budi", email=BUDI, language="id")
    assert len(post.to(BUDI)) == 3
    people.register(name="Siti", email=SITI, language="id")
    assert len(post.to(SITI)) == 1
    clock.advance(timedelta(hours=1))
    people.register(name="Budi", email=BUDI, language="id")
    assert len(post.to(BUDI)) == 4


def test_an_unknown_language_is_refused(people: People, post: Post) -> None:
    with pytest.raises(PersonDataInvalid):
        people.register(name="Budi", email=BUDI, language="de")
    person = active(people, post)
    with pytest.raises(PersonDataInvalid):
        people.choose_language(person.id, "../en")
    assert people.choose_language(person.id, "en").language == people.get(person.id).language == "en"


def test_an_address_changes_when_the_new_mailbox_answers(
    people: People, post: Post, clock: FrozenClock
) -> None:
    person = active(people, post)
    people.change_email(person.id, "baru@contoh.id")
    assert people.get(person.id).email == BUDI
    assert post.to(BUDI)[-1].template == "email_change_notice"
    clock.advance(timedelta(minutes=5))
    changed = people.confirm_email(post.code("baru@contoh.id"))
    assert (changed.email, changed.email_confirmed_at, changed.state) == (
        "baru@contoh.id",
        clock(),
        PersonState.ACTIVE,
    )
    assert post.to(BUDI)[-1].template == "email_changed"
    assert people.find(BUDI) is None
    assert people.find("baru@contoh.id") == changed


def test_an_address_of_somebody_else_answers_alike_and_changes_nothing(people: People, post: Post) -> None:
    budi, siti = active(people, post), active(people, post, SITI, "Siti")
    people.change_email(budi.id, SITI)
    assert [mail.template for mail in post.all()[-2:]] == ["email_change_known", "email_change_notice"]
    assert people.find(SITI) == siti
    assert people.get(budi.id).email == BUDI


def test_an_address_that_was_taken_meanwhile_is_not_taken_over(people: People, post: Post) -> None:
    budi = active(people, post)
    people.change_email(budi.id, SITI)
    code = post.code(SITI)
    siti = active(people, post, SITI, "Siti")
    with pytest.raises(CodeInvalid):
        people.confirm_email(code)
    assert people.find(SITI) == siti


def test_only_the_last_answer_decides_the_address(people: People, post: Post) -> None:
    budi = active(people, post)
    people.change_email(budi.id, "a@contoh.id")
    people.change_email(budi.id, "b@contoh.id")
    people.confirm_email(post.code("b@contoh.id"))
    with pytest.raises(CodeInvalid):
        people.confirm_email(post.code("a@contoh.id"))


def test_a_suspended_account_changes_no_address_and_resumes_as_it_was(
    people: People, post: Post, ended: list[str]
) -> None:
    person = active(people, post)
    people.change_email(person.id, "baru@contoh.id")
    people.suspend(person.id, actor="officer", reason=SuspensionReason.REPORTED)
    assert ended == [person.id]
    with pytest.raises(CodeInvalid):
        people.confirm_email(post.code("baru@contoh.id"))
    with pytest.raises(PersonStateForbids):
        people.change_email(person.id, "baru@contoh.id")
    with pytest.raises(PersonStateForbids):
        people.suspend(person.id, actor="officer", reason=SuspensionReason.FRAUD)
    assert people.resume(person.id, actor="officer").state is PersonState.ACTIVE
    with pytest.raises(PersonStateForbids):
        people.resume(person.id, actor="officer")


def test_an_account_without_factors_resumes_without_factors(people: People, post: Post) -> None:
    person = registered(people, post)
    people.suspend(person.id, actor="officer", reason=SuspensionReason.BY_ORDER)
    with pytest.raises(PersonStateForbids):
        people.complete(person.id)
    assert people.resume(person.id, actor="officer").state is PersonState.REGISTERED


def test_nobody_is_found_by_nonsense(people: People) -> None:
    for identifier in ("", "x", "person-00", "3273011203450007", BUDI, "\0", "\ud800", "9" * 100_000):
        assert people.find(identifier) is None
    with pytest.raises(PersonUnknown):
        people.get("person-00")
    with pytest.raises(PersonUnknown):
        people.complete("person-00")
