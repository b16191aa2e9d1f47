"""One token: logged in once per process, its sessions lent one at a time, connected anew when it was away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import TokenFlag

from keys.errors import KeyUnavailable, TokenBusy, TokenPinRefused, TokenUnreachable
from keys.stores.kek import read_secret
from keys.stores.pkcs11.module import PATIENCE, Module, module_at

_Result = TypeVar("_Result")

_PAUSE: Final = 1.0
"""Seconds between two attempts to connect: a token that is down is not made better by a storm of logins."""

_REFUSALS: Final = (
    pkcs11.NoSuchKey,
    pkcs11.ArgumentsBad,
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.KeyTypeInconsistent,
    pkcs11.TemplateIncomplete,
    pkcs11.TemplateInconsistent,
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.AttributeReadOnly,
    pkcs11.TokenWriteProtected,
)
"""Said about the request, by a token that works."""

_GONE: Final = (
    pkcs11.DeviceError,
    pkcs11.DeviceRemoved,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.SlotIDInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.TokenNotRecognised,
    pkcs11.UserNotLoggedIn,
)
"""Said when sessions or the login are lost. Everything else is ambiguous, and the token is asked."""


@dataclass(frozen=True, slots=True)
class TokenAddress:
    """Where the keys are. ``pin_file`` is readable by its owner only; ``sessions`` is how many to use."""

    module: Path
    label: str
    pin_file: Path
    sessions: int = 8


def objects(raw: pkcs11.Session, wanted: Mapping[pkcs11.Attribute, Any]) -> list[pkcs11.Object]:
    """What matches. A lost session is found out first: the binding's search then raises from its destructor,
    where nobody can catch it.
    """
    raw.generate_random(64)
    return list(raw.get_objects(dict(wanted)))


class Session:
    """A session, lent to one thread at a time. Remembers the handles of the keys that it found."""

    def __init__(self, raw: pkcs11.Session) -> None:
        self.raw = raw
        self._keys: dict[str, pkcs11.Object] = {}

    def find(self, key_id: str, kind: pkcs11.ObjectClass) -> list[pkcs11.Object]:
        return objects(self.raw, {pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.ID: key_id.encode()})

    def key(self, key_id: str, kind: pkcs11.ObjectClass) -> pkcs11.Object:
        """Raises ``pkcs11.NoSuchKey``, and ``MultipleObjectsReturned`` for an id that is not unique."""
        key = self._keys.get(key_id)
        if key is None:
            found = self.find(key_id, kind)
            if not found:
                raise pkcs11.NoSuchKey(key_id)
            if len(found) > 1:
                raise pkcs11.MultipleObjectsReturned(key_id)
            key = self._keys[key_id] = found[0]
        return key


class _Link:
    """One login and the sessions opened under it, for as long as the library is not started again."""

    def __init__(self, token: pkcs11.Token, keeper: pkcs11.Session, *, generation: int, limit: int) -> None:
        self.token = token
        self.generation = generation
        self._keeper = keeper
        self._limit = limit
        self._changed = Condition()
        self._idle: list[Session] = []
        self._open = 0

    def borrow(self) -> Session:
        """Raises :class:`keys.errors.TokenBusy` and ``pkcs11.PKCS11Error``."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with self._changed:
                if not self._changed.wait_for(
                    lambda: self._idle or self._open < self._limit, deadline - time.monotonic()
                ):
                    raise TokenBusy(
                        f"all {self._limit} sessions of token {self.token.label!r} were in use for "
                        f"{PATIENCE:.0f} s: raise ABSAH_KEYS_PKCS11_SESSIONS, or give the token less to do"
                    )
                if self._idle:
                    return self._idle.pop()
                self._open += 1
            try:
                return Session(self.token.open(rw=False))
            except pkcs11.SessionCount as refused:
                self._shrink(refused)
            except BaseException:
                self._forget()
                raise

    def _shrink(self, refused: pkcs11.SessionCount) -> None:
        """The token has fewer sessions than we were told: make do with those that are open."""
        with self._changed:
            self._open -= 1
            if not self._open:
                raise TokenBusy(full(self.token.label)) from refused
            self._limit = self._open

    def give_back(self, session: Session) -> None:
        with self._changed:
            self._idle.append(session)
            self._changed.notify()

    def drop(self, session: Session) -> None:
        with suppress(pkcs11.PKCS11Error):  # a session that is lost cannot be closed
            session.raw.close()
        self._forget()

    def _forget(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify()


class Token:
    """Runs work in sessions of one token. Opens nothing before the first. Safe for several threads."""

    def __init__(self, address: TokenAddress, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.address = address
        self._monotonic = monotonic
        self._connecting = Lock()
        self._link: _Link | None = None
        self._failed_at = float("-inf")
        self._failure: KeyUnavailable | None = None
        self._refused_pin: str | None = None
        self._watchers: list[Callable[[str], object]] = []

    def watch(self, failed: Callable[[str], object]) -> None:
        """From now on call ``failed`` with the name of each error of the token or its library."""
        self._watchers.append(failed)

    def run(self, work: Callable[[Session], _Result]) -> _Result:
        """The result of ``work``, which may be called a second time: after a lost session, or a lost token.

        Raises ``pkcs11.PKCS11Error`` for what the token refuses, and a leaf of
        :class:`keys.errors.KeyUnavailable` when it cannot be reached.
        """
        link = self._link or self._connect(None)
        try:
            return self._attempt(link, work)
        except pkcs11.PKCS11Error as failure:
            if not self._worth_another(link, failure):
                raise
            if not self._answers(link, failure):
                link = self._connect(link)
        try:
            return self._attempt(link, work)
        except _GONE as failure:
            raise TokenUnreachable(
                f"token {self.address.label!r} was lost again at once ({_name(failure)}): look at it, and at "
                "the logs of its software"
            ) from failure

    def run_once(self, work: Callable[[pkcs11.Session], _Result]) -> _Result:
        """The same for work that changes the token: in a session that may write, and never repeated."""
        self.run(lambda session: session.raw.generate_random(64))  # so that the login is a living one
        link = self._link
        assert link is not None, "run() connects, and a link is replaced, never removed"
        module = self._module()
        with module.using():
            if link.generation != module.generation:
                raise TokenUnreachable(f"token {self.address.label!r} was lost just now: try again")
            try:
                raw = link.token.open(rw=True)
                try:
                    return work(raw)
                finally:
                    with suppress(pkcs11.PKCS11Error):
                        raw.close()
            except pkcs11.PKCS11Error as failure:
                self._count(failure)
                raise

    # --- one attempt, and what its failure means -----------------------------------------------------

    def _attempt(self, link: _Link, work: Callable[[Session], _Result]) -> _Result:
        module = self._module()
        with module.using():
            if link.generation != module.generation:
                raise pkcs11.SessionClosed("the library was started again")
            try:
                session = link.borrow()
                try:
                    result = work(session)
                except _REFUSALS:
                    link.give_back(session)
                    raise
                except BaseException:
                    link.drop(session)  # nobody knows what it was in the middle of
                    raise
            except pkcs11.PKCS11Error as failure:
                self._count(failure)
                raise
            link.give_back(session)
            return result

    def _worth_another(self, link: _Link, failure: pkcs11.PKCS11Error) -> bool:
        if isinstance(failure, pkcs11.NoSuchKey):
            # Without a login, private objects do not exist. One that sees others is logged in.
            return not self._sees_private(link)
        return not isinstance(failure, _REFUSALS)

    def _answers(self, link: _Link, failure: pkcs11.PKCS11Error) -> bool:
        if isinstance(failure, (*_GONE, pkcs11.NoSuchKey)):
            return False
        try:
            self._attempt(link, lambda session: session.raw.generate_random(64))
        except (pkcs11.PKCS11Error, TokenUnreachable):
            return False
        return True

    def _sees_private(self, link: _Link) -> bool:
        wanted = {pkcs11.Attribute.PRIVATE: True}
        try:
            return self._attempt(link, lambda session: bool(objects(session.raw, wanted)))
        except pkcs11.PKCS11Error:
            return False

    def _count(self, failure: pkcs11.PKCS11Error) -> None:
        for failed in self._watchers:
            failed(_name(failure))

    # --- connecting ----------------------------------------------------------------------------------

    def _module(self) -> Module:
        return module_at(self.address.module)

    def _connect(self, lost: _Link | None) -> _Link:
        """A living link: somebody else's, if one was made since ``lost``; or a new one.

        One thread connects, the others wait for it. A failure is answered with again for a moment.
        """
        if not self._connecting.acquire(timeout=PATIENCE):
            raise TokenUnreachable(
                f"token {self.address.label!r} is being connected to, and that takes too long"
            )
        try:
            if self._link is not None and self._link is not lost:
                return self._link
            if self._failure is not None and self._monotonic() - self._failed_at < _PAUSE:
                raise type(self._failure)(str(self._failure))
            try:
                self._link = self._link_after(lost)
            except KeyUnavailable as failure:
                self._failure, self._failed_at = failure, self._monotonic()
                raise
            self._failure = None
            return self._link
        finally:
            self._connecting.release()

    def _link_after(self, lost: _Link | None) -> _Link:
        """1. What was lost is left by starting the library again, when no call is inside: closing the
        session that holds the login would pull it from under calls that are still running, and some
        libraries find a token that came back only then. 2. Log in.
        """
        module = self._module()
        seen = module.generation
        if lost is not None and lost.generation == seen:
            module.restart(seen)
            return self._log_in(module)
        try:
            return self._log_in(module)
        except TokenUnreachable:
            module.restart(seen)
        return self._log_in(module)

    def _log_in(self, module: Module) -> _Link:
        with module.using():
            try:
                token = self._find(module)
                keeper = self._open_keeper(token)
            except pkcs11.SessionCount as failure:
                self._count(failure)
                raise TokenBusy(full(self.address.label)) from failure
            except pkcs11.PKCS11Error as failure:
                self._count(failure)
                raise TokenUnreachable(
                    f"token {self.address.label!r} does not answer ({_name(failure)}): look at it, and at "
                    "the logs of its software"
                ) from failure
            return _Link(token, keeper, generation=module.generation, limit=self.address.sessions)

    def _find(self, module: Module) -> pkcs11.Token:
        tokens = list(_tokens(module))
        mine = [token for token in tokens if token.label == self.address.label]
        if len(mine) == 1:
            return mine[0]
        labels = ", ".join(repr(token.label) for token in tokens if token.label) or "none"
        raise TokenUnreachable(
            f"{len(mine) or 'no'} token{'s are' if mine else ' is'} called {self.address.label!r} in "
            f"{module.path} (there: {labels}): plug it in, or correct ABSAH_KEYS_PKCS11_TOKEN"
        )

    def _open_keeper(self, token: pkcs11.Token) -> pkcs11.Session:
        """The session that holds the login: closing it would log out all the others.

        A PIN that was refused is not tried again, because tokens lock themselves after a few wrong ones.
        """
        label, path = self.address.label, self.address.pin_file
        pin = read_secret(path).decode(errors="replace").strip()
        if token.flags & TokenFlag.USER_PIN_LOCKED:
            raise TokenPinRefused(locked(label))
        if token.flags & TokenFlag.USER_PIN_FINAL_TRY:
            raise TokenPinRefused(
                f"token {label!r} locks itself at the next wrong PIN, so it is not tried from here: "
                "log in once by hand (`pkcs11-tool --login`), which gives all tries back"
            )
        if pin == self._refused_pin:
            raise TokenPinRefused(wrong(label, path))
        try:
            return token.open(user_pin=pin)
        except pkcs11.UserAlreadyLoggedIn:
            return token.open()
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as refused:
            self._count(refused)
            self._refused_pin = pin
            raise TokenPinRefused(wrong(label, path)) from refused
        except (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized) as refused:
            self._count(refused)
            raise TokenPinRefused(locked(label)) from refused


def wrong(label: str, path: Path) -> str:
    return (
        f"token {label!r} does not take the PIN in {path}: correct the file. The same PIN is not tried "
        "again, because tokens lock themselves after a few wrong ones"
    )


def locked(label: str) -> str:
    return (
        f"token {label!r} is locked, or its PIN has expired or was never set: have its security officer set "
        "one (`pkcs11-tool --login --login-type so --init-pin`), and put it into the PIN file"
    )


def full(label: str) -> str:
    return (
        f"token {label!r} gives no session, because others hold them all: end programs that use it, or have "
        "its maker's software allow more sessions"
    )


def _tokens(module: Module) -> list[pkcs11.Token]:
    found = []
    for slot in module.library.get_slots(token_present=True):
        with suppress(pkcs11.TokenNotPresent, pkcs11.TokenNotRecognised):  # gone since they were listed
            found.append(slot.get_token())
    return found


def _name(failure: Exception) -> str:
    return type(failure).__name__


_sharing = Lock()
_shared: dict[TokenAddress, Token] = {}


def token_at(address: TokenAddress) -> Token:
    """The process's only :class:`Token` at this address: a second login would be refused."""
    with _sharing:
        return _shared.setdefault(address, Token(address))
