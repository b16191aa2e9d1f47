"""What the factors can refuse. Leaves are named for the fact.

FactorError
├── PasswordRefused               it cannot become a password; the words tell what to change
│   ├── PasswordTooShort · PasswordTooLong
│   ├── PasswordCharacterRefused  a character that two keyboards may send differently
│   ├── PasswordCommon            many people use it, or it follows a pattern that is tried first
│   ├── PasswordBreached          it is on the list of passwords known from breaches
│   └── PasswordPersonal          little more than the person's own name or address
├── PasswordsBusy                 more passwords wait to be checked than this process takes on
├── TotpRefused
│   ├── TotpSetupGone             the set-up expired, was finished, or belongs to somebody else
│   └── TotpCodeWrong             the app shows another code
├── PasskeyRefused
│   ├── PasskeyChallengeGone      answered before, expired, or made for somebody else
│   ├── PasskeyUnknown            no such passkey, or another person's
│   ├── PasskeyNotVerified        the answer is malformed, forged, for another site, or without verification
│   ├── PasskeyCounterWentBack    two copies of one authenticator seem to exist
│   ├── PasskeyExists             this authenticator is registered already
│   └── PasskeysTooMany
├── FactorUnknown                 the person has no such factor
├── FactorNeeded                  without it too little would be left to log in with
└── HolderUnknown                 there is no such person, or the account is closed
"""

from __future__ import annotations

from identity.errors import IdentityError


class FactorError(IdentityError):
    """Root of what this sub-slice raises on purpose. Messages never hold a secret or a person's data."""


class PasswordRefused(FactorError):
    """This text cannot become a password."""


class PasswordTooShort(PasswordRefused):
    def __init__(self, *, least: int) -> None:
        super().__init__(f"The password is too short: use at least {least} characters, such as three words.")
        self.least = least


class PasswordTooLong(PasswordRefused):
    def __init__(self, *, most: int) -> None:
        super().__init__(f"The password is too long: use at most {most} characters.")
        self.most = most


class PasswordCharacterRefused(PasswordRefused):
    def __init__(self) -> None:
        super().__init__(
            "The password holds a character that not every keyboard sends in the same way. "
            "Use letters, digits, spaces and common signs."
        )


class PasswordCommon(PasswordRefused):
    def __init__(self) -> None:
        super().__init__(
            "This password is among the first that are tried. Use three or four words that do not belong "
            "together."
        )


class PasswordBreached(PasswordRefused):
    def __init__(self) -> None:
        super().__init__(
            "This password is known from a breach of another site. Use three or four words that do not "
            "belong together."
        )


class PasswordPersonal(PasswordRefused):
    def __init__(self) -> None:
        super().__init__(
            "This password is made from your name or email address. Use words that have nothing to do with "
            "you."
        )


class PasswordsBusy(FactorError):
    """Checking a password costs memory and time on purpose; only so many are checked at once."""

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"Very many people are logging in right now. Try again in {retry_after} s.")
        self.retry_after = retry_after


class TotpRefused(FactorError):
    """An authenticator app could not be set up."""


class TotpSetupGone(TotpRefused):
    def __init__(self) -> None:
        super().__init__("This set-up of an authenticator app is over. Start a new one.")


class TotpCodeWrong(TotpRefused):
    def __init__(self) -> None:
        super().__init__(
            "The app shows another code right now. Wait for the next code, check that the phone sets its "
            "clock by itself, and enter the six digits."
        )


class PasskeyRefused(FactorError):
    """A passkey could not be registered or does not prove who answers."""


class PasskeyChallengeGone(PasskeyRefused):
    def __init__(self) -> None:
        super().__init__("This passkey request is over or was answered before. Start again.")


class PasskeyUnknown(PasskeyRefused):
    def __init__(self) -> None:
        super().__init__("This passkey is not registered here. Choose another one or another way to log in.")


class PasskeyNotVerified(PasskeyRefused):
    def __init__(self) -> None:
        super().__init__(
            "The passkey's answer could not be verified. Unlock the device with its PIN, finger or face when "
            "it asks, and try again."
        )


class PasskeyCounterWentBack(PasskeyRefused):
    """WebAuthn Level 3, 6.1.1 and 7.2 step 22: a sign of a cloned authenticator."""

    def __init__(self) -> None:
        super().__init__(
            "This passkey counts backwards, as a copied one would. Log in another way, remove it and "
            "register it again."
        )


class PasskeyExists(PasskeyRefused):
    def __init__(self) -> None:
        super().__init__("This passkey is registered already.")


class PasskeysTooMany(PasskeyRefused):
    def __init__(self, *, most: int) -> None:
        super().__init__(f"There are {most} passkeys already, which is the most. Remove one first.")
        self.most = most


class FactorUnknown(FactorError):
    def __init__(self) -> None:
        super().__init__("There is no such way to log in on this account; it may have been removed already.")


class FactorNeeded(FactorError):
    def __init__(self) -> None:
        super().__init__(
            "Without this one the account could not be logged in to any more. Add another one first: "
            "a passkey, or a password with an authenticator app."
        )


class HolderUnknown(FactorError):
    def __init__(self) -> None:
        super().__init__("There is no such person, or the account is closed.")
