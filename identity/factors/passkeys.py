"""Passkeys: WebAuthn Level 3 for one relying party. The only file that imports py_webauthn. No I/O.

py_webauthn verifies; these rules of ours are around it:

- the user is verified in every ceremony, so that a passkey is two factors by itself;
- credentials are discoverable, so that a passkey also names its owner;
- three algorithms, and only keys that fit them (WebAuthn Level 3, 5.8.5);
- no attestation is asked for, so that statements which need a parser of their own are refused unread;
- pages of other origins may not embed the ceremony (7.1 step 10, 7.2 step 14);
- counters are judged where they are stored (7.2 step 22): two answers may race.

Whatever a hostile answer makes a parser raise becomes
:class:`identity.factors.errors.PasskeyNotVerified`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import webauthn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json,
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from identity.factors.errors import PasskeyNotVerified
from identity.factors.model import Passkey

MOST_CHARACTERS: Final = 16_384
"""Of an answer. Real ones have about a thousand; 1023 bytes of credential id and an RSA key fit easily."""

_ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_FORMATS: Final = {AttestationFormat.NONE, AttestationFormat.PACKED}
_MOST_CREDENTIAL_ID: Final = 1023  # 7.1 step 26
_RSA_BITS: Final = range(2048, 4097)


@dataclass(frozen=True, slots=True)
class PasskeyChallenge:
    """What a page hands to the browser: ``options_json`` for ``parseCreationOptionsFromJSON`` or
    ``parseRequestOptionsFromJSON``; ``id`` comes back with the answer.
    """

    id: str
    options_json: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A new credential, verified."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assertion:
    """An answer that was read and not verified: whose it claims to be. ``user_handle`` may be missing."""

    credential_id: bytes
    user_handle: bytes | None
    parsed: AuthenticationCredential


class RelyingParty:
    """Registration and authentication ceremonies for one ``rp_id`` and one ``origin``. Thread-safe."""

    def __init__(self, *, rp_id: str, rp_name: str, origin: str, timeout: timedelta) -> None:
        self._rp_id = rp_id
        self._rp_name = rp_name
        self._origin = origin
        self._timeout = int(timeout.total_seconds() * 1000)

    def creation_options(
        self, *, challenge: bytes, person_id: str, account: str, name: str, existing: Sequence[Passkey]
    ) -> str:
        """``account`` and ``name`` are what the device shows; the user handle is the person's random id."""
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._rp_name,
            user_id=person_id.encode(),
            user_name=account,
            user_display_name=name,
            challenge=challenge,
            timeout=self._timeout,
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(existing),
            supported_pub_key_algs=_ALGORITHMS,
        )
        return options_to_json(options)

    def request_options(self, *, challenge: bytes, allowed: Sequence[Passkey] = ()) -> str:
        """Without ``allowed`` the device offers every passkey that it keeps for this site."""
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=self._timeout,
            allow_credentials=_descriptors(allowed),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    def register(self, response_json: str, *, challenge: bytes) -> Registered:
        """WebAuthn Level 3, 7.1. Raises :class:`identity.factors.errors.PasskeyNotVerified`."""
        with _refusing(response_json):
            # 1. Read, and refuse what needs a parser that we have no use for.
            parsed = parse_registration_credential_json(response_json)
            _require_top_level(parsed.response.client_data_json)
            if parse_attestation_object(parsed.response.attestation_object).fmt not in _FORMATS:
                raise PasskeyNotVerified
            # 2. Type, challenge, origin, relying party, presence, verification, statement.
            verified = webauthn.verify_registration_response(
                credential=parsed,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
                supported_pub_key_algs=_ALGORITHMS,
            )
            # 3. The id is the one that was signed for, and the key is one that we can verify with.
            if verified.credential_id != parsed.raw_id or len(parsed.raw_id) > _MOST_CREDENTIAL_ID:
                raise PasskeyNotVerified
            _require_fitting_key(verified.credential_public_key)
            return Registered(
                credential_id=verified.credential_id,
                public_key=verified.credential_public_key,
                sign_count=verified.sign_count,
                backup_eligible=_is_backup_eligible(verified.credential_device_type),
                transports=tuple(sorted({transport.value for transport in parsed.response.transports or ()})),
            )

    def read(self, response_json: str) -> Assertion:
        """Raises :class:`identity.factors.errors.PasskeyNotVerified`."""
        with _refusing(response_json):
            parsed = parse_authentication_credential_json(response_json)
            _require_top_level(parsed.response.client_data_json)
            return Assertion(parsed.raw_id, parsed.response.user_handle, parsed)

    def verify(self, assertion: Assertion, passkey: Passkey, *, challenge: bytes) -> int:
        """WebAuthn Level 3, 7.2, but for the counter, whose new value is returned.

        Raises :class:`identity.factors.errors.PasskeyNotVerified`.
        """
        with _refusing():
            verified = self._verified(assertion, passkey.public_key, passkey.person_id, challenge)
            # A credential never becomes or ceases to be one that is synchronised (step 18).
            if _is_backup_eligible(verified.credential_device_type) != passkey.backup_eligible:
                raise PasskeyNotVerified
            return verified.new_sign_count

    def is_statement(
        self, answer: bytes, *, credential_id: bytes, public_key: bytes, person_id: str, challenge: bytes
    ) -> bool:
        """Whether a kept answer is by this credential over ``challenge``, by the rules of :meth:`verify`.

        For statements that are proven long after they were made: the credential is the one that was written
        down then, and its counter has moved on.
        """
        try:
            with _refusing():
                if len(answer) > MOST_CHARACTERS:
                    return False
                assertion = self.read(answer.decode())
                self._verified(assertion, public_key, person_id, challenge)
                return assertion.credential_id == credential_id
        except PasskeyNotVerified:
            return False

    def _verified(
        self, assertion: Assertion, public_key: bytes, person_id: str, challenge: bytes
    ) -> VerifiedAuthentication:
        # 1. Who the answer says it is owns the credential (step 6).
        if assertion.user_handle not in (None, person_id.encode()):
            raise PasskeyNotVerified
        # 2. Type, challenge, origin, relying party, presence, verification, signature. With 0 for the
        #    stored counter the library leaves judging it to us.
        return webauthn.verify_authentication_response(
            credential=assertion.parsed,
            expected_challenge=challenge,
            expected_rp_id=self._rp_id,
            expected_origin=self._origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )


@contextmanager
def _refusing(response_json: str = "") -> Iterator[None]:
    if len(response_json) > MOST_CHARACTERS:
        raise PasskeyNotVerified
    try:
        yield
    except PasskeyNotVerified:
        raise
    except Exception as cause:  # parsers of JSON, CBOR and COSE raise whatever hostile bytes make them
        raise PasskeyNotVerified from cause


def _require_top_level(client_data_json: bytes) -> None:
    client_data = json.loads(client_data_json)
    if client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data:
        raise PasskeyNotVerified


def _require_fitting_key(cose_key: bytes) -> None:
    decoded = decode_credential_public_key(cose_key)
    key = decoded_public_key_to_cryptography(decoded)
    fits = {
        COSEAlgorithmIdentifier.ECDSA_SHA_256: isinstance(key, ec.EllipticCurvePublicKey)
        and isinstance(key.curve, ec.SECP256R1),
        COSEAlgorithmIdentifier.EDDSA: isinstance(key, ed25519.Ed25519PublicKey),
        COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256: isinstance(key, rsa.RSAPublicKey)
        and key.key_size in _RSA_BITS,
    }
    if not fits.get(decoded.alg, False):
        raise PasskeyNotVerified


def _is_backup_eligible(kind: CredentialDeviceType) -> bool:
    return kind is CredentialDeviceType.MULTI_DEVICE


def _descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id,
            transports=[AuthenticatorTransport(word) for word in passkey.transports] or None,
        )
        for passkey in passkeys
    ]
