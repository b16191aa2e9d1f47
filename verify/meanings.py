"""What pyHanko's indications mean in our words: EN 319 102-1 on one side, outcome and reason on the other."""

from __future__ import annotations

from typing import Final

from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate, AdESStatus, AdESSubIndic

from verify.verdict import Indication, Outcome, Reason, SubIndication

UNTRUSTED: Final = frozenset(
    {
        AdESIndeterminate.NO_CERTIFICATE_CHAIN_FOUND,
        AdESIndeterminate.NO_SIGNING_CERTIFICATE_FOUND,
        AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE,
        AdESIndeterminate.CHAIN_CONSTRAINTS_FAILURE,
    }
)
_WEAK = frozenset(
    {AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE, AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE_NO_POE}
)
_OUT_OF_DATE = frozenset(
    {
        AdESIndeterminate.EXPIRED,
        AdESIndeterminate.NOT_YET_VALID,
        AdESIndeterminate.OUT_OF_BOUNDS_NO_POE,
        AdESIndeterminate.OUT_OF_BOUNDS_NOT_REVOKED,
    }
)
_REVOKED = frozenset({AdESIndeterminate.REVOKED_NO_POE, AdESIndeterminate.REVOKED_CA_NO_POE})

_INDICATIONS: Final = {
    AdESStatus.PASSED: Indication.TOTAL_PASSED,
    AdESStatus.INDETERMINATE: Indication.INDETERMINATE,
    AdESStatus.FAILED: Indication.TOTAL_FAILED,
}


def meaning_of(  # noqa: PLR0911 - one line per family
    indication: AdESSubIndic, *, found_path: bool
) -> tuple[Outcome, Reason]:
    """The outcome and reason for a sub-indication that is not a pass.

    ``found_path``: certificates up to an anchor were found. Then a general failure of the chain means that
    the evidence about them is missing or stale, not that the issuer is unknown.
    """
    if indication is AdESFailure.REVOKED or indication in _REVOKED:
        return Outcome.REVOKED, Reason.CERTIFICATE_REVOKED
    if indication is AdESFailure.NOT_YET_VALID or indication in _OUT_OF_DATE:
        return Outcome.CANNOT_SAY, Reason.CERTIFICATE_OUT_OF_DATE
    if isinstance(indication, AdESFailure):
        return Outcome.FILE_DIFFERS, Reason.SIGNATURE_VALUE_INVALID
    if indication is AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE and found_path:
        return Outcome.CANNOT_SAY, Reason.EVIDENCE_MISSING
    if indication in UNTRUSTED:
        return Outcome.UNKNOWN_ISSUER, Reason.ISSUER_NOT_TRUSTED
    if indication in _WEAK:
        return Outcome.CANNOT_SAY, Reason.ALGORITHM_WEAK
    if indication is AdESIndeterminate.NO_POE:
        return Outcome.CANNOT_SAY, Reason.TIME_NOT_PROVEN
    return Outcome.CANNOT_SAY, Reason.EVIDENCE_MISSING


def indication_of(indication: AdESSubIndic) -> tuple[Indication, SubIndication | None]:
    """The same by its names in EN 319 102-1."""
    if indication.status is AdESStatus.PASSED:
        return Indication.TOTAL_PASSED, None
    return _INDICATIONS[indication.status], SubIndication(indication.standard_name)
