"""A service whose seal key is about to be lost, on a clock that stands still."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest

from app.compromise.building import build_compromise
from app.compromise.model import Case, Step
from app.compromise.service import Compromise
from app.demo import sample_documents
from app.wiring import Core
from keys.model import KeyPurpose
from signing.model import Document, DocumentFacts, Holder
from signing.ports import Caller
from tests.app.conftest import inhabited
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.estate import Estate

PDF = sample_documents()[0].pdf
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
SCOPES = frozenset({"documents.issue:*", "documents.read", "documents.revoke"})


class Killed(BaseException):
    """The process ends here: nothing catches it, nothing tidies up."""


@dataclass
class Town:
    """One service with documents of agency ``dinas``, some sealed before a loss and some after."""

    core: Core
    clock: FrozenClock
    answer: Compromise
    lost_at: datetime
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.core.keys.newest(KeyPurpose.SEAL, "dinas").id

    def seal(self, number: str, *, holder: Holder | None = None, agency: str = "dinas") -> Document:
        caller = Caller("client-1", agency, "Dinas Contoh", SCOPES)
        facts = DocumentFacts("decree", number, "Penetapan", "Kepala", date(2026, 5, 1), holder=holder)
        return self.core.sealing.seal(caller, facts, io.BytesIO(PDF))

    def wait(self, by: timedelta = timedelta(seconds=3)) -> None:
        """Past everything that is remembered for a moment: a test does not wait for real seconds."""
        self.clock.advance(by)
        forget(self.core)

    def outcome(self, document_id: str) -> str:
        forget(self.core)
        return self.core.verification.by_id(document_id).outcome.value

    def open(self, key: str | None = None, **given: object) -> Case:
        return self.answer.open(key or self.key, self.lost_at, actor="cli:test", **given)  # type: ignore[arg-type]

    def file(self, document: str) -> bytes:
        caller = Caller("client-1", "dinas", "Dinas Contoh", SCOPES)
        found = self.core.register.owned(caller, document)
        with self.core.register.open_file(found) as stream:
            return stream.read()

    def document(self, document_id: str, agency: str = "dinas") -> Document:
        return self.core.register.owned(Caller("client-1", agency, "", SCOPES), document_id)


def forget(core: Core) -> None:
    """What processes remember for a second is looked up anew."""
    core.identities._certified._values.clear()
    core.resealing._receipt_keys._known._values.clear()  # type: ignore[attr-defined]
    core.released._doubts._values.clear()
    core.trust._read_at = float("-inf")
    core.keys._records.clear()
    core.keys._active.clear()
    core.tsa._unit = None
    core.revocation.ocsp._responders.clear()
    core.revocation.ocsp._evidence.clear()
    core.revocation.lists._known.clear()


@pytest.fixture(scope="session")
def sealed_estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Three documents of before the loss and three of after it: sealed once, and copied."""

    def live(core: Core, _: InProcess, clock: FrozenClock) -> tuple[datetime, list[str], list[str]]:
        town = build_town(core, clock, each=3)
        return town.lost_at, town.before, town.after

    return inhabited(tmp_path_factory.mktemp("estate"), live)


@pytest.fixture
def estate(request: pytest.FixtureRequest, estate: Estate, sealed_estate: Estate) -> Estate:
    return sealed_estate if "town" in request.fixturenames else estate


@pytest.fixture
def town(estate: Estate, core: Core, clock: FrozenClock) -> Town:
    made = Town(core, clock, answer_of(core), *estate.remembered(core, clock))
    forget(core)
    return made


def answer_of(core: Core) -> Compromise:
    """As a process has it, but for the pauses between documents."""
    answer = build_compromise(core)
    answer._replacing._pace._sleep = lambda _: None
    return answer


def build_town(core: Core, clock: FrozenClock, *, each: int) -> Town:
    """``each`` documents of before the loss, and as many of after it."""
    made = Town(core, clock, answer_of(core), clock() + HOUR)
    made.before = [made.seal(f"before {n}").id for n in range(each)]
    clock.advance(2 * HOUR)
    forget(core)
    made.after = [made.seal(f"after {n}").id for n in range(each)]
    clock.advance(HOUR)
    forget(core)
    return made


@pytest.fixture
def unit_of(town: Town) -> Callable[[], str]:
    """The key of the time-stamping unit in use."""
    return lambda: town.core.keys.newest(KeyPurpose.TIMESTAMPING).id


def finish(town: Town, case: Case) -> Case:
    """To the end, past what is remembered between one step and the next."""
    for _ in range(50):
        if not town.answer.may_go_on(case):
            return case
        town.wait()
        case = town.answer.advance(case.id)
        if case.step is Step.RESEAL and case.failed and not case.done:
            return case
    raise AssertionError(f"the case never ends: {case}")
