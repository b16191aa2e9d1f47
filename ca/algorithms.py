"""AlgorithmIdentifiers of what is signed here, as DER (RFC 5754, RFC 5758). Pure."""

from __future__ import annotations

from ca import der

DIGESTS = {
    "sha256": der.sequence(der.oid("2.16.840.1.101.3.4.2.1")),
    "sha384": der.sequence(der.oid("2.16.840.1.101.3.4.2.2")),
}
"""By :attr:`keys.model.KeyAlgorithm.hash_name`; parameters absent."""

SIGNATURES = {
    "ec-p256": der.sequence(der.oid("1.2.840.10045.4.3.2")),
    "ec-p384": der.sequence(der.oid("1.2.840.10045.4.3.3")),
    "rsa-3072": der.sequence(der.oid("1.2.840.113549.1.1.11"), der.null()),
}
"""By the value of :class:`keys.model.KeyAlgorithm`; it is the algorithm that says the hash as well."""
