"""What logging in can refuse. Leaves are named for the fact; messages never tell accounts apart.

LoginError
├── LoginRefused          identifier and password, or the passkey, open no account
├── AnswerRefused         the second answer is not right
├── LoginDelayed          wrong answers came too fast: wait ``retry_after`` seconds
├── AccountSuspended      told only to who has proven to be the holder
├── HalfSessionGone       unknown, over, used, or begun for something else
├── SessionGone           unknown, over, ended, or its id was replaced
├── StepUpNeeded          the session is genuine, its last authentication too weak or too old
├── LinkGone              a link or code from a mail: unknown, used, or too old
├── SetupIncomplete       a factor is still missing
├── PlacesUnreadable      the operator's table of places breaks a rule
└── RecoveryNeedsOfficer  at this proofing level only an officer gives access back
"""

from __future__ import annotations

from datetime import timedelta

from identity.errors import IdentityError


class LoginError(IdentityError):
    """A refusal on the way in."""


class LoginRefused(LoginError):
    """Unknown account, wrong password, account that may not log in: never told apart."""

    def __init__(self) -> None:
        super().__init__("Identifier and password do not match. Check both, or recover the account.")


class AnswerRefused(LoginError):
    """Wrong, used before, or of a factor that the person does not have: never told apart."""

    def __init__(self) -> None:
        super().__init__("The code or passkey was not accepted. Wait for a new code, or use another factor.")


class LoginDelayed(LoginError):
    """Too many wrong answers for this account, factor or address. ``retry_after`` in whole seconds."""

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"Too many wrong answers. Try again in {retry_after} s.")
        self.retry_after = retry_after


class AccountSuspended(LoginError):
    """Both factors were right, and the account may not be used."""

    def __init__(self) -> None:
        super().__init__("This account is suspended. Ask the help desk.")


class HalfSessionGone(LoginError):
    """Log in from the start."""

    def __init__(self) -> None:
        super().__init__("This login took too long or was finished already. Start again.")


class SessionGone(LoginError):
    """Log in again."""

    def __init__(self) -> None:
        super().__init__("This session has ended. Log in again.")


class StepUpNeeded(LoginError):
    """RFC 9470, 3: ``acr`` is what is demanded, ``max_age`` how old the authentication may be."""

    def __init__(self, *, acr: str, max_age: timedelta | None) -> None:
        super().__init__(f"A fresh proof of identity is needed ({acr}). Answer with a factor again.")
        self.acr = acr
        self.max_age = max_age


class LinkGone(LoginError):
    """Links and codes from mails work once and for a limited time."""

    def __init__(self) -> None:
        super().__init__("This link or code was used already or is too old. Ask for a new one.")


class SetupIncomplete(LoginError):
    """A first set-up ends when password and second factor are there, or a passkey."""

    def __init__(self) -> None:
        super().__init__("A factor is still missing. Finish setting up the account.")


class PlacesUnreadable(LoginError):
    """Found at start-up, not at a login."""


class RecoveryNeedsOfficer(LoginError):
    """Whoever was proofed at a counter and lost both factors is proofed at a counter again."""

    def __init__(self) -> None:
        super().__init__("This account was opened at a counter. Bring your identity card to one.")
