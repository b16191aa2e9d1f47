"""What happened at a ceremony, signed by the key of the ceremonies' machine. Pure.

The file is JSON: the transcript, and a signature over its one encoding (sorted keys, no spaces, UTF-8). The
fingerprint of the key is what witnesses write down on paper: it ties every later transcript to the first.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ca.errors import TranscriptInvalid

FORMAT = "absah-ceremony-transcript/1"
ALGORITHM = "ecdsa-p256-sha256"
LARGEST = 4 * 1024**2
_SIGNED_AS = b"absah ceremony transcript v1\n"


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript whose signature stands. ``key`` is the SHA-256 of the public key, hexadecimal."""

    content: Mapping[str, Any]
    key: str

    @property
    def outputs(self) -> dict[str, str]:
        """Every file that the ceremony wrote, with its SHA-256; of a file written twice, the last."""
        return {
            output["name"]: output["sha256"] for step in self.content["steps"] for output in step["outputs"]
        }


def fingerprint(public_key_info: bytes) -> str:
    return hashlib.sha256(public_key_info).hexdigest()


def sign_transcript(
    content: Mapping[str, Any], public_key_info: bytes, sign: Callable[[bytes], bytes]
) -> bytes:
    """The file. ``sign`` is ECDSA on P-256 with SHA-256, DER."""
    signature = sign(_SIGNED_AS + _encoded(content))
    whole = {
        "transcript": content,
        "signature": {
            "algorithm": ALGORITHM,
            "public_key": base64.b64encode(public_key_info).decode(),
            "value": base64.b64encode(signature).decode(),
        },
    }
    return json.dumps(whole, indent=1, ensure_ascii=False).encode() + b"\n"


def read_transcript(text: bytes) -> Transcript:
    """Raises :class:`ca.errors.TranscriptInvalid` unless every byte that has a meaning was signed."""
    if len(text) > LARGEST:
        raise TranscriptInvalid("the file is larger than any transcript")
    try:
        whole = json.loads(text.decode("utf-8"), object_pairs_hook=_each_once)
        content, signature = whole["transcript"], whole["signature"]
        if set(whole) != {"transcript", "signature"} or set(signature) != {
            "algorithm",
            "public_key",
            "value",
        }:
            raise TranscriptInvalid("the file holds more than a transcript and its signature")
        if content["format"] != FORMAT or signature["algorithm"] != ALGORITHM:
            raise TranscriptInvalid("the file is no transcript of a kind that this software knows")
        public_key_info = base64.b64decode(signature["public_key"], validate=True)
        value = base64.b64decode(signature["value"], validate=True)
        key = load_der_public_key(public_key_info)
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise TranscriptInvalid("the transcript is signed with a key of another kind than P-256")
        key.verify(value, _SIGNED_AS + _encoded(content), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as altered:
        raise TranscriptInvalid("the transcript is not what was signed: somebody altered it") from altered
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as broken:
        raise TranscriptInvalid("the file cannot be read as a transcript") from broken
    return Transcript(content, fingerprint(public_key_info))


def _encoded(content: Mapping[str, Any]) -> bytes:
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found
