"""How mails leave: SMTP, or in development a folder. Implements :class:`identity.mail.ports.Carrier`.

What a mail server answers can name people, so only reply codes leave this file.
"""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from app.clock import Clock
from app.database import Database
from app.errors import SettingsInvalid
from app.policies import policy_from
from app.settings import MailSecurity, Settings
from app.settings.people import MailSettings
from app.telemetry import Reading
from app.vault import CustodyVault
from identity.mail.composing import Composer
from identity.mail.errors import DeliveryFailed, MailDeferred, MailRefused, MailServerUnavailable
from identity.mail.model import MailPolicy
from identity.mail.ports import Carrier, Round
from identity.mail.service import MailOutbox

log = structlog.get_logger(__name__)

_REPLY_SECONDS: Final = 120.0
"""For one reply of a server that has answered before. RFC 5321, 4.5.3.2, asks for minutes: giving up while it
still works on a message would send that twice. A mail's claim outlasts all replies together."""
_LONGEST_PAUSE_SECONDS: Final = 60.0
"""Between two tries to reach a mail server that does not work."""

_ENHANCED: Final = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
_LARGEST_PASSWORD_FILE: Final = 4096


def carrier_for(settings: Settings) -> Carrier:
    """SMTP when a server is set, else the folder. Raises :class:`app.errors.SettingsInvalid`."""
    if settings.mail.host is None:
        return FolderCarrier(settings.mail_dir)
    return SmtpCarrier(settings.mail, greeting=urlsplit(settings.public_url).hostname or "localhost")


def build_outbox(settings: Settings, *, database: Database, clock: Clock, vault: CustodyVault) -> MailOutbox:
    """Opens nothing: mails wait in the database until a round of the carrier."""
    composer = Composer(
        public_url=settings.public_url, sender=settings.mail.sender, sender_name=settings.mail.sender_name
    )
    return MailOutbox(
        begin=database.begin,
        read=database.read,
        clock=clock,
        vault=vault,
        composer=composer,
        policy=policy_from(settings.mail, MailPolicy),
    )


class SmtpCarrier:
    """Hands mails to a server (RFC 5321), by default only under TLS that names that very server."""

    def __init__(self, settings: MailSettings, *, greeting: str) -> None:
        """``greeting`` is the name that we say we are in EHLO."""
        assert settings.host is not None
        self._settings = settings
        self._host = settings.host
        self._greeting = greeting
        self._password = None
        if settings.password_file is not None:
            self._password = _read_password(settings.password_file)
        self._tls: ssl.SSLContext | None = None
        if settings.security is not MailSecurity.NONE:
            try:
                self._tls = ssl.create_default_context(cafile=settings.ca_file)
            except OSError as cause:  # ssl.SSLError is one
                raise SettingsInvalid(
                    f"ABSAH_MAIL_CA_FILE holds no certificates to read ({cause.strerror}): check the file."
                ) from None

    @contextmanager
    def round(self) -> Iterator[Round]:
        server = self._connected()
        try:
            yield _SmtpRound(server, sender=self._settings.sender)
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _connected(self) -> smtplib.SMTP:
        wait = float(self._settings.connect_seconds)
        server: smtplib.SMTP | None = None
        try:
            if self._settings.security is MailSecurity.TLS:
                server = smtplib.SMTP_SSL(
                    self._host,
                    self._settings.port,
                    local_hostname=self._greeting,
                    timeout=wait,
                    context=self._tls,
                )
            else:
                server = smtplib.SMTP(
                    self._host, self._settings.port, local_hostname=self._greeting, timeout=wait
                )
            server.ehlo_or_helo_if_needed()
            if self._settings.security is MailSecurity.STARTTLS:
                server.starttls(context=self._tls)  # raises when it is not offered: never falls back
                server.ehlo()
            if self._settings.user is not None and self._password is not None:
                server.login(self._settings.user, self._password)
            if server.sock is not None:
                server.sock.settimeout(_REPLY_SECONDS)
        except (smtplib.SMTPException, OSError, ValueError) as cause:
            if server is not None:
                server.close()
            raise MailServerUnavailable(_reason(cause)) from cause
        return server


class _SmtpRound:
    def __init__(self, server: smtplib.SMTP, *, sender: str) -> None:
        self._server = server
        self._sender = sender

    def hand_over(self, message: EmailMessage, *, to: str) -> None:
        try:
            self._server.send_message(message, from_addr=self._sender, to_addrs=[to])
        except smtplib.SMTPRecipientsRefused as cause:
            raise _refusal(*cause.recipients[to]) from cause
        except smtplib.SMTPDataError as cause:
            raise _refusal(cause.smtp_code, cause.smtp_error) from cause
        except (smtplib.SMTPException, OSError) as cause:
            # The sender is refused, or the connection broke: the fault of no mail.
            raise MailServerUnavailable(_reason(cause)) from cause


def _refusal(code: int, text: bytes | str) -> DeliveryFailed:
    """RFC 5321, 4.2.1. A 421 ends the connection, whatever it answers."""
    if code == 421:
        return MailServerUnavailable(_coded(code, text))
    return (MailRefused if 500 <= code < 600 else MailDeferred)(_coded(code, text))


def _reason(cause: Exception) -> str:
    if isinstance(cause, smtplib.SMTPResponseException):
        return _coded(cause.smtp_code, cause.smtp_error)
    return type(cause).__name__


def _coded(code: int, text: bytes | str) -> str:
    """``550 5.1.1``: the reply code and the enhanced one (RFC 3463), where there is one."""
    enhanced = _ENHANCED.match(text.encode() if isinstance(text, str) else text)
    return f"{code} {enhanced[0].decode()}" if enhanced else str(code)


def _read_password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_LARGEST_PASSWORD_FILE)
    except OSError as cause:
        raise SettingsInvalid(
            f"ABSAH_MAIL_PASSWORD_FILE cannot be read ({cause.strerror}): check path and owner."
        ) from None
    if mode & 0o007:
        raise SettingsInvalid(
            f"ABSAH_MAIL_PASSWORD_FILE can be read by everybody here: run `chmod 600 {path}`."
        )
    try:
        return content.decode("ascii").rstrip("\r\n")
    except UnicodeDecodeError:  # smtplib sends nothing else
        raise SettingsInvalid(
            "ABSAH_MAIL_PASSWORD_FILE must hold ASCII characters only: choose another password."
        ) from None


class FolderCarrier:
    """Puts mails into a folder that only this user can read, and says where: for development."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def round(self) -> Iterator[Round]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as cause:
            raise MailServerUnavailable(type(cause).__name__) from cause
        yield self

    def hand_over(self, message: EmailMessage, *, to: str) -> None:
        """The file is named by time and Message-ID: the same mail twice is the same file."""
        name = str(message["Message-ID"]).strip("<>").partition("@")[0]
        sent = message["Date"].datetime
        file = self._folder / f"{sent:%Y%m%d-%H%M%S}-{name}.eml"
        draft = file.with_suffix(".part")
        try:
            descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(message.as_bytes())
            draft.replace(file)
        except OSError as cause:
            raise MailServerUnavailable(type(cause).__name__) from cause
        log.info("mail_in_folder", file=str(file))


def deliver_forever(
    outbox: MailOutbox, carrier: Carrier, stopping: threading.Event, *, interval: float
) -> None:
    """Look into the outbox every ``interval`` seconds until ``stopping`` is set; less often after a failure.

    On a thread of its own: a mail server that hangs holds up nothing else.
    """
    pause = interval
    while not stopping.is_set():
        went_well = deliver_once(outbox, carrier, stopping=stopping.is_set)
        pause = interval if went_well else min(2 * pause, max(interval, _LONGEST_PAUSE_SECONDS))
        stopping.wait(pause)


def deliver_once(
    outbox: MailOutbox, carrier: Carrier, *, stopping: Callable[[], bool] = lambda: False
) -> bool:
    """One look into the outbox. Whatever fails is logged, and the mails stay where they are; False then."""
    try:
        done = outbox.deliver(carrier, stopping=stopping)
    except MailServerUnavailable as cause:
        log.warning("mail_server_unavailable", reason=cause.reason)
        return False
    except Exception as cause:  # noqa: BLE001 - the next look tries again
        log.error("mail_failed", error=type(cause).__name__)
        return False
    if done.sent or done.put_off or done.dead:
        log.info("mail_delivered", sent=done.sent, put_off=done.put_off, dead=done.dead)
    return True


def readings(outbox: MailOutbox, clock: Clock) -> list[Reading]:
    """What the metrics tell about mail."""
    standing = outbox.standing()
    age = 0.0 if standing.oldest is None else max(0.0, (clock() - standing.oldest).total_seconds())
    return [
        Reading("absah_mail_waiting", "Mails that wait to be sent.", standing.waiting),
        Reading("absah_mail_dead", "Mails that were given up and are kept.", standing.dead),
        Reading("absah_mail_oldest_seconds", "For how long the oldest of the waiting mails has waited.", age),
    ]
