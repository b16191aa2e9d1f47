"""What certification can refuse. One root; leaves are named for the fact."""

from __future__ import annotations

from enum import StrEnum


class Doubt(StrEnum):
    """Why a token of another authority is not believed."""

    FORM = "form"  # not the one encoding, or not a token
    SIGNATURE = "signature"
    UNIT = "unit"  # the certificate is not one for time-stamping, or not the one that the token names
    PATH = "path"  # nobody whom we trust stands above it
    EXPIRED = "expired"
    REVOKED = "revoked"
    STATUS = "status"  # nobody says whether it is revoked
    IMPRINT = "imprint"
    NONCE = "nonce"
    POLICY = "policy"
    TIME = "time"
    ACCURACY = "accuracy"
    EXTENSION = "extension"


class CertificationError(Exception):
    """Root of everything the ca slice raises on purpose."""


class MalformedDer(CertificationError, ValueError):
    """Bytes are not the one DER encoding of what they claim to be (X.690 clause 10 and 11)."""


class ProfileInvalid(CertificationError):
    """A certificate profile contradicts RFC 5280 or EN 319 412; found at start-up, never at issuance."""


class IssuanceRefused(CertificationError):
    """A certificate that was asked for would break its profile or its issuer's constraints."""


class HierarchyIncomplete(CertificationError):
    """A certificate that the service itself needs does not exist yet; `absah init` makes it."""


class KeyHeldElsewhere(HierarchyIncomplete):
    """What was asked for needs the private key of a CA that is kept offline, or by others."""


class InstallationRefused(CertificationError):
    """Certificates or lists from elsewhere do not fit: the key, the path, the names, or the time."""


class CeremonyRefused(CertificationError):
    """The script of a ceremony is incomplete or contradicts itself, its inputs, or what was done before."""


class TranscriptInvalid(CertificationError):
    """A transcript was altered, or is none."""


class CertificateUnknown(CertificationError):
    """No certificate with this serial number or name was ever issued here."""


class CertificateNotGood(CertificationError):
    """A certificate that must be good is revoked, on hold or outside its validity."""


class RevocationRefused(CertificationError):
    """A status change that RFC 5280 does not know, such as un-revoking a compromised certificate."""


class TimeNotAvailable(CertificationError):
    """No time-stamp can be had now: no unit with an active key, or a clock that nobody vouches for."""


class ClockOutOfAccuracy(TimeNotAvailable):
    """The machine's clock is further from a second source than time-stamps promise."""


class ClockNotHeard(TimeNotAvailable):
    """No second source of time was heard for too long, so that nobody vouches for the clock."""


class TimeStamperUnreachable(TimeNotAvailable):
    """Another authority, or who speaks for its certificates, gave no answer that could be read in time."""


class TimeStamperPaused(TimeNotAvailable):
    """Another authority failed so often that it is not asked for a while."""


class TimeStampRejected(TimeNotAvailable):
    """Another authority answered that it issues no token for this (RFC 3161 2.4.2)."""


class TimeStampNotBelieved(TimeNotAvailable):
    """Another authority issued a token that fails a check; ``doubt`` says which."""

    def __init__(self, doubt: Doubt, text: str) -> None:
        super().__init__(text)
        self.doubt = doubt


class UnitChanged(TimeNotAvailable):
    """Another authority stamped by another of its units than the one whose evidence was at hand."""


class TimeSourceSilent(CertificationError):
    """A source of time does not answer, or does not know the time itself. Others may."""
