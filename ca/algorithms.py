"""AlgorithmIdentifiers of what is signed here, as DER (RFC 5754, RFC 5758). Pure."""

from __future__ import annotations

from ca import der

DIGESTS = {
    "sha256": der.sequence(der.oid("2.16.840.1.101.3.4.2.1")),
    "sha384": der.sequence(der.oid("2.16.840.1.101.3.4.2.2")),
    "sha512": der.sequence(der.oid("2.16.840.1.101.3.4.2.3")),
}
"""By :attr:`keys.model.KeyAlgorithm.hash_name`; parameters absent."""

EC_SIGNATURES = {
    "sha256": der.sequence(der.oid("1.2.840.10045.4.3.2")),
    "sha384": der.sequence(der.oid("1.2.840.10045.4.3.3")),
    "sha512": der.sequence(der.oid("1.2.840.10045.4.3.4")),
}
RSA_SIGNATURES = {
    "sha256": der.sequence(der.oid("1.2.840.113549.1.1.11"), der.null()),
    "sha384": der.sequence(der.oid("1.2.840.113549.1.1.12"), der.null()),
    "sha512": der.sequence(der.oid("1.2.840.113549.1.1.13"), der.null()),
}
"""By hash: what signs certificates here, and what the tokens of other authorities may be signed with."""

SIGNATURES = {
    "ec-p256": EC_SIGNATURES["sha256"],
    "ec-p384": EC_SIGNATURES["sha384"],
    "rsa-3072": RSA_SIGNATURES["sha256"],
}
"""By the value of :class:`keys.model.KeyAlgorithm`; it is the algorithm that says the hash as well."""
