"""What the composition root can refuse. One root; leaves are named for the fact.

ApplicationError
├── SettingsInvalid         a setting is unknown, malformed or contradicts another
├── UnsafeForProduction     a development stand-in would run in production
├── NotInitialised          `absah init` has not run against this data
├── DatabaseNotReady        cannot be reached, or its schema is not the one this release knows
├── StorageNotReady         the store of documents does not answer or cannot be written
├── AuditChainBroken        the audit trail was changed after the fact
│   └── AnchorInvalid        a time-stamp that is kept for it does not vouch for it
├── AuditFileInvalid        an exported trail is cut off, or not in its form
├── BackupFailed            a backup could not be taken or put back
├── BackupInvalid           a backup is not whole
├── BodyTooLarge            a request's body is above the limit of its path
├── BodyTooSlow             a request's body did not arrive in time
├── CredentialsMissing      a guarded route was called without a bearer token
└── AuthenticationInsufficient  a person has to prove anew who they are, before what is about to be done
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError


class ApplicationError(Exception):
    """Root of everything that the composition root raises on purpose. The message names cause and remedy."""


class SettingsInvalid(ApplicationError):
    """A setting is unknown, malformed or contradicts another; the service does not start."""


class UnsafeForProduction(SettingsInvalid):
    """A development stand-in was about to run with ``ABSAH_ENV=production``."""


class NotInitialised(ApplicationError):
    """`absah init` has not run against this data directory and database."""


class DatabaseNotReady(ApplicationError, SQLAlchemyError):
    """The database cannot be reached, or its schema is not the one that this release knows.

    Also an error of SQLAlchemy, so that slices which know what to do without the register can catch it.
    """


class StorageNotReady(ApplicationError):
    """The store of documents does not answer, is full, or may not be written."""


class AuditChainBroken(ApplicationError):
    """A row of the audit trail was altered, removed or inserted after the fact."""

    def __init__(self, sequence: int, reason: str) -> None:
        super().__init__(
            f"The audit trail is broken at entry {sequence}: {reason}. "
            "Keep the database as it is, and compare it with the last backup whose chain verified."
        )
        self.sequence = sequence


class AnchorInvalid(AuditChainBroken):
    """A time-stamp over a head of the trail is over another head, altered, or by nobody whom we trust."""


class AuditFileInvalid(ApplicationError):
    """Not an export of the audit trail, or one that was cut off or changed in form."""

    def __init__(self, name: str, line: int, reason: str) -> None:
        super().__init__(
            f"{name} is no whole export of an audit trail; line {line} {reason}. Export it again with "
            "`absah audit export`, or get another copy of the file."
        )


class BackupFailed(ApplicationError):
    """A backup could not be taken, or not be put back; nothing was overwritten."""


class BackupInvalid(ApplicationError):
    """A folder is no backup, or one that is not whole."""

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(f"{folder} cannot be restored: {reason}. Use another copy, or an earlier backup.")


class BodyTooLarge(ApplicationError):
    """The request's body is larger than this path takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This address takes at most {limit:,} bytes in a request. Send a smaller file, "
            "or have the operator raise the limit (ABSAH_LIMITS_*)."
        )


class BodyTooSlow(ApplicationError):
    """The request's body did not arrive in time."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The request's body did not arrive within {seconds} seconds. Send it again.")


class CredentialsMissing(ApplicationError):
    """No bearer token came with a request to a guarded route (RFC 6750, 3.1: no error code is sent)."""

    def __init__(self) -> None:
        super().__init__(
            "This address needs an access token. Get one from POST /oauth2/token and send it as "
            "'Authorization: Bearer …'."
        )


class AuthenticationInsufficient(ApplicationError):
    """The person behind the access token has to prove anew who they are (RFC 9470, 3).

    ``acr`` is what is demanded, ``max_age`` how long ago that may have been.
    """

    def __init__(self, *, acr: str, max_age: timedelta) -> None:
        super().__init__(
            "This act needs a fresh login of the person who authorises it. Send the person to the "
            "authorization endpoint with these acr_values and this max_age, and use the new token."
        )
        self.acr = acr
        self.max_age = max_age
