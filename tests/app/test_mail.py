"""Mail by a real SMTP server: how it is spoken to, and everything that can be wrong with one."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from app import upkeep
from app.errors import SettingsInvalid
from app.mail import FolderCarrier, SmtpCarrier, carrier_for, deliver_forever, deliver_once, readings
from app.settings import Settings
from app.settings.people import MailSettings
from app.wiring import Core
from identity.mail.errors import MailDeferred, MailRefused, MailServerUnavailable
from identity.mail.model import LETTERS, MailPolicy, link
from tests.identity.mail.samples import values_of
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.server import free_port
from tests.support.smtp import PASSWORD, SmtpServer, running_smtp, smtp_process, tls_for

pytestmark = pytest.mark.network


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with running_smtp() as server:
        yield server


def message() -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Absah <absah@absah.example>"
    made["To"] = "siti@contoh.example"
    made["Subject"] = "Percobaan"
    made["Message-ID"] = "<1@absah.example>"
    made.set_content("Halo.\n")
    return made


def to(server: SmtpServer, **settings: object) -> SmtpCarrier:
    given = {"host": "127.0.0.1", "port": server.port, "security": "none", "connect_seconds": 5} | settings
    return SmtpCarrier(MailSettings.model_validate(given), greeting="absah.example")


def send(carrier: SmtpCarrier) -> None:
    with carrier.round() as round_:
        round_.hand_over(message(), to="siti@contoh.example")


def queue(core: Core, template: str = "account_ready") -> None:
    with core.database.begin() as tx:
        core.outbox.queue(tx, to="siti@contoh.example", template=template, language="id", values={})


def using(core: Core, port: int, **settings: object) -> SmtpCarrier:
    given = {"host": "127.0.0.1", "port": port, "security": "none", "connect_seconds": 1} | settings
    return SmtpCarrier(MailSettings.model_validate(given), greeting="absah.example")


# --- how it is spoken to -----------------------------------------------------------------------------


def test_a_mail_arrives_with_its_envelope_and_its_words(smtp: SmtpServer) -> None:
    send(to(smtp, sender="absah@absah.example"))
    (taken,) = smtp.taken
    assert (taken.sender, taken.to, taken.tls) == ("absah@absah.example", ["siti@contoh.example"], False)
    assert taken.message["Subject"] == "Percobaan"
    assert taken.message.get_content() == "Halo.\r\n"


def test_many_mails_share_one_connection(smtp: SmtpServer) -> None:
    with to(smtp).round() as round_:
        for _ in range(20):
            round_.hand_over(message(), to="siti@contoh.example")
    assert len(smtp.taken) == 20


def test_starttls_checks_that_the_certificate_is_the_servers(tmp_path: Path) -> None:
    context, authority = tls_for("127.0.0.1", tmp_path)
    with running_smtp(starttls=context) as server:
        send(to(server, security="starttls", ca_file=authority))
        assert server.taken[0].tls
        with pytest.raises(MailServerUnavailable, match="SSLCertVerificationError"):
            send(to(server, security="starttls"))
    context, authority = tls_for("mail.absah.example", tmp_path)
    with running_smtp(starttls=context) as server:
        with pytest.raises(MailServerUnavailable, match="SSLCertVerificationError"):
            send(to(server, security="starttls", ca_file=authority))
        assert server.taken == []


def test_a_server_that_offers_no_tls_gets_nothing(smtp: SmtpServer) -> None:
    with pytest.raises(MailServerUnavailable, match="SMTPNotSupportedError"):
        send(to(smtp, security="starttls"))
    assert smtp.taken == []


def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    context, authority = tls_for("127.0.0.1", tmp_path)
    with running_smtp(tls=context) as server:
        send(to(server, security="tls", ca_file=authority))
        assert len(server.taken) == 1
        with pytest.raises(MailServerUnavailable, match="SSLCertVerificationError"):
            send(to(server, security="tls"))


def test_the_password_comes_from_a_file_and_a_wrong_one_is_not_repeated(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(PASSWORD + b"\n")
    secret.chmod(0o600)
    context, authority = tls_for("127.0.0.1", tmp_path)
    given = {"security": "starttls", "ca_file": authority, "user": "absah", "password_file": secret}
    with running_smtp(starttls=context, login=True) as server:
        send(to(server, **given))
        assert server.taken[0].user == "absah"
        secret.write_text("salah sekali\n")
        with pytest.raises(MailServerUnavailable, match="535") as refused:
            send(to(server, **given))
        assert "salah" not in str(refused.value)


def test_a_password_file_that_is_missing_or_open_to_all_stops_the_start(tmp_path: Path) -> None:
    given = {"host": "127.0.0.1", "user": "absah", "password_file": tmp_path / "password"}
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        SmtpCarrier(MailSettings.model_validate(given), greeting="x")
    (tmp_path / "password").write_text("rahasia")
    (tmp_path / "password").chmod(0o644)
    with pytest.raises(SettingsInvalid, match="chmod 600"):
        SmtpCarrier(MailSettings.model_validate(given), greeting="x")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "password").write_text("rahasía")
    with pytest.raises(SettingsInvalid, match="ASCII"):
        SmtpCarrier(MailSettings.model_validate(given), greeting="x")
    with pytest.raises(SettingsInvalid, match="ABSAH_MAIL_CA_FILE"):
        SmtpCarrier(MailSettings(host="127.0.0.1", ca_file=tmp_path / "none"), greeting="x")


# --- what a server can say ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reply", "kind", "reason"),
    [
        ("RCPT", "550 5.1.1 <siti@contoh.example> unknown", MailRefused, "550 5.1.1"),
        ("RCPT", "450 4.2.1 <siti@contoh.example> busy", MailDeferred, "450 4.2.1"),
        ("RCPT", "452 too many", MailDeferred, "452"),
        ("RCPT", "421 4.3.2 going down", MailServerUnavailable, "421 4.3.2"),
        ("DATA", "554 5.7.1 looks like spam to siti", MailRefused, "554 5.7.1"),
        ("DATA", "451 4.3.0 later", MailDeferred, "451 4.3.0"),
        ("MAIL", "550 5.7.1 not you, absah@absah.example", MailServerUnavailable, "550 5.7.1"),
    ],
)
def test_a_refusal_is_told_by_its_codes_and_never_by_its_words(
    smtp: SmtpServer, command: str, reply: str, kind: type[Exception], reason: str
) -> None:
    smtp.replies[command] = reply
    with pytest.raises(kind) as refused:
        send(to(smtp))
    assert getattr(refused.value, "reason") == reason  # noqa: B009 - kinds share it by their root
    assert "siti" not in str(refused.value)


def test_after_a_refusal_the_same_connection_takes_the_next_mail(smtp: SmtpServer) -> None:
    with to(smtp).round() as round_:
        smtp.replies["RCPT"] = "550 5.1.1 unknown"
        with pytest.raises(MailRefused):
            round_.hand_over(message(), to="siti@contoh.example")
        smtp.replies.clear()
        round_.hand_over(message(), to="budi@contoh.example")
    assert [taken.to for taken in smtp.taken] == [["budi@contoh.example"]]


def test_no_server_and_a_silent_one_are_told_within_the_time_set() -> None:
    nobody = MailSettings.model_validate({"host": "127.0.0.1", "port": free_port(), "security": "none"})
    with pytest.raises(MailServerUnavailable, match="ConnectionRefusedError"):
        send(SmtpCarrier(nobody, greeting="absah.example"))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = nobody.model_copy(update={"port": silent.getsockname()[1], "connect_seconds": 1})
        started = time.monotonic()
        with pytest.raises(MailServerUnavailable, match="SMTPServerDisconnected"):
            send(SmtpCarrier(settings, greeting="absah.example"))
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 \xff\xfe\r\n", b"2" * 100_000, b""]
)
def test_whatever_else_answers_at_that_port_is_a_server_that_is_unavailable(said: bytes) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        settings = MailSettings.model_validate(
            {"host": "127.0.0.1", "port": other.getsockname()[1], "security": "none", "connect_seconds": 2}
        )
        with pytest.raises(MailServerUnavailable):
            send(SmtpCarrier(settings, greeting="absah.example"))
        thread.join()


# --- the outbox and a server that fails --------------------------------------------------------------


def test_a_server_that_hangs_delays_nothing_and_loses_nothing(
    core: Core, smtp: SmtpServer, clock: FrozenClock
) -> None:
    """While one mail is stuck in it, people are served, upkeep runs, and every mail arrives afterwards."""
    smtp.hang = True
    queue(core)
    stopping = threading.Event()
    carrier = using(core, smtp.port)
    thread = threading.Thread(
        target=deliver_forever, args=(core.outbox, carrier, stopping), kwargs={"interval": 0.05}
    )
    thread.start()
    try:
        _wait_until(lambda: core.outbox.standing().waiting == 1)
        started = time.monotonic()
        for _ in range(20):
            queue(core)
        assert time.monotonic() - started < 2
        assert upkeep.run_once(core) == 0
        assert smtp.taken == []
        smtp.hang = False
        _wait_until(lambda: len(smtp.taken) == 21)
        _wait_until(lambda: core.outbox.standing().waiting == 0)
    finally:
        smtp.hang = False
        stopping.set()
        thread.join()
    assert len({taken.message["Message-ID"] for taken in smtp.taken}) == 21


def test_mails_wait_for_a_server_that_is_away_and_arrive_when_it_is_back(core: Core) -> None:
    port = free_port()
    for _ in range(5):
        queue(core)
    for _ in range(3):
        assert not deliver_once(core.outbox, using(core, port))
    assert core.outbox.standing().waiting == 5
    with running_smtp() as server:
        assert deliver_once(core.outbox, using(core, server.port))
        assert len(server.taken) == 5


def test_no_kill_of_the_server_loses_a_mail_or_tells_one_twice_without_its_message_id(
    core: Core, clock: FrozenClock, tmp_path: Path
) -> None:
    """The server process is killed again and again in the middle of its work."""
    count, port, folder = 40, free_port(), tmp_path / "mails"
    for _ in range(count):
        queue(core)
    for _ in range(6):
        with smtp_process(port, folder) as process:
            killer = threading.Timer(0.05, process.kill)
            killer.start()
            deliver_once(core.outbox, using(core, port))
            killer.join()
        clock.advance(MailPolicy().claim)
    with smtp_process(port, folder):
        while core.outbox.standing().waiting:
            deliver_once(core.outbox, using(core, port))
            clock.advance(MailPolicy().claim)
    identities = {
        message_from_bytes(file.read_bytes(), policy=default)["Message-ID"] for file in folder.iterdir()
    }
    assert len(identities) == count


# --- development -------------------------------------------------------------------------------------


def test_without_a_server_mails_land_in_a_private_folder_and_the_log_says_where(
    core: Core, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    carrier = carrier_for(core.settings)
    assert isinstance(carrier, FolderCarrier)
    queue(core)
    with caplog.at_level(logging.INFO):
        assert deliver_once(core.outbox, carrier)
    (file,) = core.settings.mail_dir.glob("*.eml")
    received = message_from_bytes(file.read_bytes(), policy=default)
    assert received["To"] == "siti@contoh.example"
    assert f"{core.settings.public_url}/login" in file.read_text()
    assert (file.stat().st_mode & 0o777, core.settings.mail_dir.stat().st_mode & 0o777) == (0o600, 0o700)
    assert str(file) in caplog.text + "".join(capfd.readouterr())
    assert "siti" not in file.name


def test_a_folder_that_cannot_be_written_is_a_server_that_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where a folder should be")
    with pytest.raises(MailServerUnavailable), FolderCarrier(tmp_path / "mail").round():
        pass


# --- what operators see ------------------------------------------------------------------------------


def test_the_metrics_tell_what_waits_and_what_was_given_up(
    core: Core, api: InProcess, smtp: SmtpServer, clock: FrozenClock
) -> None:
    queue(core)
    smtp.replies["RCPT"] = "550 5.1.1 unknown"
    deliver_once(core.outbox, using(core, smtp.port))
    queue(core)
    clock.advance(timedelta(minutes=10))
    shown = api.get("/metrics").text
    assert "absah_mail_waiting 1.0" in shown
    assert "absah_mail_dead 1.0" in shown
    assert "absah_mail_oldest_seconds 600.0" in shown
    assert [reading.name for reading in readings(core.outbox, clock)] == [
        "absah_mail_waiting", "absah_mail_dead", "absah_mail_oldest_seconds",
    ]  # fmt: skip


def test_settings_choose_the_way(tmp_path: Path) -> None:
    folder = Settings(data_dir=tmp_path)
    server = Settings(data_dir=tmp_path, mail={"host": "mail.absah.example"})
    assert isinstance(carrier_for(folder), FolderCarrier)
    assert isinstance(carrier_for(server), SmtpCarrier)


def test_a_worker_round_carries_mails_away(core: Core, smtp: SmtpServer) -> None:
    queue(core)
    assert upkeep.run_round(core, using(core, smtp.port))
    assert len(smtp.taken) == 1


def test_a_process_that_starts_its_upkeep_sends_mails_until_it_stops(core: Core, smtp: SmtpServer) -> None:
    queue(core)
    with ExitStack() as closing:
        upkeep.start(core, closing=closing)
        _wait_until(lambda: bool(list(core.settings.mail_dir.glob("*.eml"))))
    queue(core)
    assert core.outbox.standing().waiting == 1


def _wait_until(reached: object, seconds: float = 20.0) -> None:
    assert callable(reached)
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# --- where mails lead --------------------------------------------------------------------------------


def test_every_link_in_a_mail_leads_to_a_page(api: InProcess) -> None:
    """A link that leads nowhere is found here, not by somebody who wants to cancel a stranger's recovery."""
    for template in LETTERS:
        address = link("", template, values_of(template))
        if address is not None:
            # 410: the page is there, and says that this code, which nobody made, is over.
            assert api.get(address).status_code in {200, 303, 410}, f"{template} leads to {address}"
