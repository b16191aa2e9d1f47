"""What mail can refuse. Leaves are named for the fact.

MailError
├── MailUnknown · MailValuesWrong     a caller's mistake, found when the mail is queued, not when it is sent
├── MailAddressInvalid                nothing can be sent to this text
├── MailNotFound                      no dead letter has this id
└── DeliveryFailed
    ├── MailServerUnavailable         nobody's mail can be sent now
    ├── MailDeferred                  this one cannot be sent now
    └── MailRefused                   this one never will be
"""

from __future__ import annotations

from identity.errors import IdentityError


class MailError(IdentityError):
    """Root of what this sub-slice raises on purpose. Messages never hold an address."""


class MailUnknown(MailError):
    """No mail has this name."""


class MailValuesWrong(MailError):
    """A value is missing, one too many, or of another kind than the mail's words expect."""


class MailAddressInvalid(MailError):
    """Not one address of the form that mail servers everywhere take."""

    def __init__(self) -> None:
        super().__init__("This is not an e-mail address. It looks like name@example.go.id.")


class MailNotFound(MailError):
    """No dead letter has this id."""


class DeliveryFailed(MailError):
    """A mail was not handed over. ``reason`` is a reply code or a class name: servers' words name people."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The mail was not handed over: {reason}. It is kept; `absah mail list` shows what waits."
        )
        self.reason = reason


class MailServerUnavailable(DeliveryFailed):
    """The server cannot be reached, or refuses us whatever the mail."""


class MailDeferred(DeliveryFailed):
    """The server took the connection but not this mail, for now (RFC 5321, 4.2.1: 4yz)."""


class MailRefused(DeliveryFailed):
    """The server will never take this mail (RFC 5321, 4.2.1: 5yz)."""
