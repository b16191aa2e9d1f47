"""A served house full of people: the service over real HTTP, and the same core in this process.

Through the core a test reads the mails that the service wrote and acts as the officer at a counter; whatever
a citizen does goes through the browser.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path

import pyotp
import pytest

from app.settings import Settings
from app.wiring import Core, build_core
from tests.support.server import RunningServer, absah, free_port

PASSWORD = "tujuh kuda lumping biru"
_AXE = Path(__file__).parents[1] / "clients" / "node_modules" / "axe-core" / "axe.min.js"


def axe_script() -> str:
    """axe-core, at the version that ``tests/clients/package-lock.json`` pins; skips where it is missing."""
    if not _AXE.is_file():
        pytest.skip("axe-core is missing: npm ci --prefix tests/clients")
    return _AXE.read_text(encoding="utf-8")


@dataclass
class Postman:
    """Carries mails into a list."""

    delivered: list[tuple[str, EmailMessage]] = field(default_factory=list)

    @contextmanager
    def round(self) -> Iterator[Postman]:
        yield self

    def hand_over(self, message: EmailMessage, *, to: str) -> None:
        self.delivered.append((to, message))


@dataclass
class Citizen:
    """Somebody with an account, and what they log in with."""

    email: str
    totp: pyotp.TOTP
    codes: tuple[str, ...] = ()
    _step: int = 0

    def code(self) -> str:
        """Six digits that were not used yet: the service takes those of the step before, now and next.

        Not in the last seconds of a step, or the step before would be two behind when the service looks.
        """
        while time.time() % 30 > 26:
            time.sleep(0.2)
        now = int(datetime.now(UTC).timestamp()) // 30
        self._step = max(self._step + 1, now - 1)
        return self.totp.generate_otp(self._step)

    def wrong_code(self) -> str:
        return f"{(int(self.totp.now()) + 123_456) % 1_000_000:06}"


@dataclass
class Town:
    """``url`` is where a browser goes; ``core`` stands over the same database."""

    server: RunningServer
    core: Core
    postman: Postman = field(default_factory=Postman)
    _people: int = 0

    @property
    def url(self) -> str:
        return self.core.settings.public_url

    def new_email(self) -> str:
        self._people += 1
        return f"siti{self._people}@contoh.id"

    def citizen(self, *, codes: bool = True) -> Citizen:
        """Somebody who registered and set everything up before."""
        citizens, email = self.core.citizens, self.new_email()
        citizens.people.register(name="Siti Rahmawati", email=email, language="id")
        person = citizens.people.confirm_email(self.code_in_mail(email))
        citizens.factors.set_password(person.id, PASSWORD)
        setup = citizens.factors.begin_totp(person.id)
        made = Citizen(email, pyotp.TOTP(setup.secret_text.replace(" ", "")))
        citizens.factors.confirm_totp(person.id, setup.id, made.code())
        if codes:
            made.codes = citizens.factors.renew_recovery_codes(person.id)
        citizens.people.complete(person.id)
        return made

    def code_from_counter(self) -> str:
        """What an officer prints for somebody whose identity card they have just seen."""
        self._people += 1
        opened = self.core.citizens.people.open_proofed(
            officer_id="officer-1",
            nik=f"32730157025600{self._people:02}",
            name="Siti Rahmawati",
            birth_date=date(1956, 2, 17),
            email=None,
            language="id",
        )
        return opened.activation_code

    def links(self, email: str) -> list[str]:
        """The addresses in the mails to somebody, the newest last."""
        self.core.outbox.deliver(self.postman)
        bodies = [
            message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            for to, message in self.postman.delivered
            if to == email
        ]
        return re.findall(rf"{re.escape(self.url)}/\S+", "\n".join(bodies))

    def link(self, email: str, path: str) -> str:
        """The newest link to ``path``."""
        return [link for link in self.links(email) if link.startswith(f"{self.url}{path}")][-1]

    def code_in_mail(self, email: str, path: str = "/register/confirm") -> str:
        return self.link(email, path).partition("code=")[2]


@contextmanager
def served_town(folder: Path) -> Iterator[Town]:
    """On SQLite. The name is localhost: browsers allow no passkey for a bare address."""
    with ExitStack() as closing:
        port = free_port()
        values = {
            "ABSAH_DATA_DIR": str(folder / "data"),
            "ABSAH_DATABASE_URL": f"sqlite:///{folder / 'absah.db'}",
            "ABSAH_PUBLIC_URL": f"http://localhost:{port}",
            "ABSAH_KEYS_APPROVALS": "2",
            "ABSAH_SERVER_UPKEEP": "false",  # mails wait for the test's postman
        }
        absah("init", settings=values)
        server = RunningServer(values, (), folder / "serve.log", port)
        closing.callback(server.close)
        server.start()
        settings = Settings(
            data_dir=folder / "data",
            database={"url": values["ABSAH_DATABASE_URL"]},  # type: ignore[arg-type]
            public_url=values["ABSAH_PUBLIC_URL"],
            keys={"approvals": 2},  # type: ignore[arg-type]
        )
        yield Town(server, build_core(settings, closing=closing))
