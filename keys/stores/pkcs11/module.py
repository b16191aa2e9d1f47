"""The maker's PKCS #11 library in this process: loaded once, ready for threads, started again if need be.

A process has one of each library, however many stores use it: sessions and logins belong to the application,
and an application, to PKCS #11, is a process (PKCS #11 v3.1, 5.4).
"""

from __future__ import annotations

import atexit
import ctypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Condition, Lock
from typing import Final

from pkcs11 import PKCS11Error
from pkcs11 import _pkcs11 as binding

from keys.errors import TokenUnreachable

PATIENCE: Final = 10.0
"""Seconds that anything here waits for other threads before it gives up."""

_OS_LOCKING_OK: Final = 0x2
_OK: Final = 0x0
_ALREADY_INITIALISED: Final = 0x191


class _Version(ctypes.Structure):
    _fields_ = (("major", ctypes.c_ubyte), ("minor", ctypes.c_ubyte))


class _InitializeArgs(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS with no mutexes of our own."""

    _fields_ = (
        ("CreateMutex", ctypes.c_void_p),
        ("DestroyMutex", ctypes.c_void_p),
        ("LockMutex", ctypes.c_void_p),
        ("UnlockMutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("pReserved", ctypes.c_void_p),
    )


_Call = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)


class _FunctionList(ctypes.Structure):
    """The beginning of CK_FUNCTION_LIST."""

    _fields_ = (("version", _Version), ("C_Initialize", _Call), ("C_Finalize", _Call))


class _Library(binding.lib):
    """The binding, without its own C_Initialize(NULL).

    NULL promises that only one thread will ever call (PKCS #11 v3.1, 5.4.1); the binding releases the
    interpreter's lock around calls, so with it two threads crash the process inside SoftHSM2.
    """

    def initialize(self) -> None:
        """Nothing: :class:`Module` has done it already."""


class Module:
    """One loaded library. Safe to use from several threads; never carried over a fork."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`keys.errors.TokenUnreachable`."""
        self.path = path
        self.generation = 0
        """Rises when the library is started again: sessions and handles of before are worth nothing."""
        self._process = os.getpid()
        self._changed = Condition()
        self._inside = 0
        self._restarting = False
        self._closed = False
        functions = _functions_of(path)
        self._initialise: Callable[[], int] = partial(
            functions.C_Initialize, ctypes.byref(_InitializeArgs(flags=_OS_LOCKING_OK))
        )
        self._finalise: Callable[[], int] = partial(functions.C_Finalize, None)
        self._start()
        try:
            try:
                self.library: binding.lib = _Library(str(path))
            except PKCS11Error:
                # p11-kit gives everybody who asks for its functions a library of his own, to be initialised
                # by himself. It needs no promise about threads, and makes the right one to what is behind it.
                self._finalise()
                self.library = binding.lib(str(path))
                self._initialise, self._finalise = self._initialise_p11_kit, self._finalise_p11_kit
        except PKCS11Error as cause:
            raise TokenUnreachable(
                f"{path} does not start ({cause or type(cause).__name__}): look at the logs of the token's "
                "software, and at the settings it reads"
            ) from cause

    @contextmanager
    def using(self) -> Iterator[None]:
        """Every call into the library happens in here, so that none is running when it is started again."""
        if os.getpid() != self._process:
            raise TokenUnreachable(
                f"{self.path} was loaded before this process was forked, and is of no use here: "
                "start processes instead of forking them"
            )
        with self._changed:
            if not self._changed.wait_for(lambda: not self._restarting, PATIENCE):
                raise TokenUnreachable(f"{self.path} is being started again, and that takes too long")
            if self._closed:
                self._start()
                self._closed = False
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def restart(self, seen: int) -> None:
        """C_Finalize and C_Initialize, unless that was done since ``generation`` was ``seen``.

        Some libraries find a token that came back only after that. It waits until no call is inside.
        Raises :class:`keys.errors.TokenUnreachable` when one does not return.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._restarting, PATIENCE):
                raise TokenUnreachable(f"{self.path} is being started again, and that takes too long")
            if self.generation != seen:
                return
            self._restarting = True
        try:
            deadline = time.monotonic() + PATIENCE
            with self._changed:
                if not self._changed.wait_for(lambda: not self._inside, deadline - time.monotonic()):
                    raise TokenUnreachable(
                        f"a call into {self.path} does not return, so it cannot be started again: "
                        "look at the token, then restart the service"
                    )
            self._finalise()  # whatever it says: what is left of the token is gone anyway
            self._start()
        finally:
            with self._changed:
                self._restarting = False
                self._changed.notify_all()

    def close(self) -> None:
        """C_Finalize: closes all sessions, and logs out. Who uses it afterwards starts it again."""
        if os.getpid() == self._process and not self._closed:
            self._closed = True
            self._finalise()

    def _start(self) -> None:
        code = self._initialise()
        self.generation += 1
        if code not in {_OK, _ALREADY_INITIALISED}:
            raise TokenUnreachable(
                f"{self.path} does not start (C_Initialize says 0x{code:x}): look at the logs of the token's "
                "software, and at the settings it reads"
            )

    def _initialise_p11_kit(self) -> int:
        try:
            self.library.initialize()
        except PKCS11Error as cause:
            raise TokenUnreachable(f"{self.path} does not start ({cause or type(cause).__name__})") from cause
        return _OK

    def _finalise_p11_kit(self) -> int:
        with suppress(PKCS11Error):
            self.library.finalize()
        return _OK


def _functions_of(path: Path) -> _FunctionList:
    functions = ctypes.POINTER(_FunctionList)()
    try:
        shared = ctypes.CDLL(str(path))
        shared.C_GetFunctionList.restype = ctypes.c_ulong
        code = shared.C_GetFunctionList(ctypes.byref(functions))
    except (OSError, AttributeError) as cause:
        raise TokenUnreachable(
            f"{path} cannot be loaded as a PKCS #11 module ({cause}): install the token's software, "
            "and name its library in ABSAH_KEYS_PKCS11_MODULE"
        ) from cause
    if code:
        raise TokenUnreachable(f"{path} does not give its functions (0x{code:x}): ask its maker")
    return functions.contents


_loading = Lock()
_loaded: dict[Path, Module] = {}


def module_at(path: Path) -> Module:
    """The library at ``path``, loaded on first use. Raises :class:`keys.errors.TokenUnreachable`."""
    with _loading:
        module = _loaded.get(path)
        if module is None:
            module = _loaded[path] = Module(path)
        return module


def close_modules() -> None:
    """Log out everywhere. Called when the process ends; stores that are used afterwards connect anew."""
    with _loading:
        for module in _loaded.values():
            module.close()


atexit.register(close_modules)
