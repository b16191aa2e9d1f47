"""Name constraints (RFC 5280 4.2.1.10), as vectors that name what they expect, and paths built to be slow."""

from __future__ import annotations

import ipaddress
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ca.names import names_outside, outside_constraints
from ca.trust import CertifiedUse, PathStatus, check_authority, check_path

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def name(**parts: str) -> x509.Name:
    kinds = {"c": NameOID.COUNTRY_NAME, "o": NameOID.ORGANIZATION_NAME, "cn": NameOID.COMMON_NAME}
    return x509.Name([x509.NameAttribute(kinds[kind], value) for kind, value in parts.items()])


def within(*permitted: x509.GeneralName, excluded: tuple[x509.GeneralName, ...] = ()) -> x509.NameConstraints:
    return x509.NameConstraints(list(permitted) or None, list(excluded) or None)


DN, DNS, MAIL, URI, IP = (
    x509.DirectoryName,
    x509.DNSName,
    x509.RFC822Name,
    x509.UniformResourceIdentifier,
    x509.IPAddress,
)
INDONESIA = DN(name(c="ID"))
EVERY_V4 = ipaddress.ip_network("0.0.0.0/0")

VECTORS: list[tuple[str, x509.GeneralName, x509.NameConstraints, bool]] = [
    ("the country itself", DN(name(c="ID")), within(INDONESIA), True),
    ("below the country", DN(name(c="ID", o="Dinas")), within(INDONESIA), True),
    ("another country", DN(name(c="MY", o="Dinas")), within(INDONESIA), False),
    ("case and spaces do not matter", DN(name(o="DINAS  A")), within(DN(name(o="dinas a"))), True),
    ("a name that begins alike", DN(name(o="Dinas AB")), within(DN(name(o="Dinas A"))), False),
    ("above the subtree", DN(name(c="ID")), within(DN(name(c="ID", o="Dinas"))), False),
    ("the parts in another order", DN(name(o="Dinas", c="ID")), within(INDONESIA), False),
    ("one of several subtrees", DN(name(c="MY")), within(INDONESIA, DN(name(c="MY"))), True),
    ("excluded wins", DN(name(c="ID", o="X")), within(INDONESIA, excluded=(DN(name(c="ID", o="X")),)), False),
    ("another form is not constrained", DNS("example.go.id"), within(INDONESIA), True),
    ("a host below", DNS("a.go.id"), within(DNS("go.id")), True),
    ("a host that ends alike", DNS("ago.id"), within(DNS("go.id")), False),
    ("every host is excluded", DNS("a.go.id"), within(excluded=(DNS(""),)), False),
    ("a mailbox", MAIL("a@go.id"), within(MAIL("a@go.id")), True),
    ("another mailbox", MAIL("b@go.id"), within(MAIL("a@go.id")), False),
    ("a mail host", MAIL("b@go.id"), within(MAIL("go.id")), True),
    ("a host below a mail host", MAIL("b@x.go.id"), within(MAIL("go.id")), False),
    ("a mail domain", MAIL("b@x.go.id"), within(MAIL(".go.id")), True),
    ("an address on the web", URI("https://a.go.id/x"), within(URI(".go.id")), True),
    ("its host itself", URI("https://go.id/x"), within(URI(".go.id")), False),
    ("a trick in the user part", URI("https://go.id@evil.example/"), within(URI("go.id")), False),
    ("a network", IP(ipaddress.ip_address("10.1.2.3")), within(IP(ipaddress.ip_network("10.0.0.0/8"))), True),
    ("another", IP(ipaddress.ip_address("11.1.2.3")), within(IP(ipaddress.ip_network("10.0.0.0/8"))), False),
    ("of the other version", IP(ipaddress.IPv6Address("::1")), within(IP(EVERY_V4)), False),
    (
        "a form that is not compared, permitted",
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        within(x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))),
        False,
    ),
    (
        "a form that is not compared, excluded",
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        within(excluded=(x509.RegisteredID(x509.ObjectIdentifier("1.2.4")),)),
        False,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "given", "constraints", "allowed"), VECTORS, ids=[one[0] for one in VECTORS]
)
def test_a_name_is_allowed_or_not(
    what: str, given: x509.GeneralName, constraints: x509.NameConstraints, allowed: bool
) -> None:
    assert (names_outside([given], constraints) is None) is allowed, what


def test_more_names_than_anybody_needs_are_refused_at_once() -> None:
    names: list[x509.GeneralName] = [DNS(f"h{number}.go.id") for number in range(2000)]
    subtrees = within(*(DNS(f"d{number}.go.id") for number in range(20)))
    begun = time.perf_counter()
    assert names_outside(names, subtrees) is not None
    assert time.perf_counter() - begun < 1


# --- paths -------------------------------------------------------------------------------------------


def certify(
    subject: x509.Name,
    issuer: x509.Name,
    *,
    key: ec.EllipticCurvePrivateKey = KEY,
    signer: ec.EllipticCurvePrivateKey = KEY,
    ca: bool = True,
    path_length: int | None = None,
    constraints: x509.NameConstraints | None = None,
    extended: tuple[x509.ObjectIdentifier, ...] = (),
    alternative: str = "",
) -> x509.Certificate:
    usage = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1000))
        .add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca, content_commitment=not ca, key_cert_sign=ca, crl_sign=ca, **usage
            ),
            critical=True,
        )
    )
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=True)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if alternative:
        names = x509.SubjectAlternativeName([x509.DNSName(alternative)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())


def judged(leaf: x509.Certificate, *above: x509.Certificate) -> tuple[PathStatus, str]:
    verdict = check_path(
        leaf, intermediates=above[:-1], anchors=above[-1:], at=NOW, use=CertifiedUse.SEAL, evidence=None
    )
    return verdict.status, verdict.reason


def keys(count: int) -> list[ec.EllipticCurvePrivateKey]:
    return [ec.generate_private_key(ec.SECP256R1()) for _ in range(count)]


ROOT, MIDDLE, LOW, LEAF = (
    name(cn="Root"),
    name(c="ID", cn="Middle"),
    name(c="ID", cn="Low"),
    name(c="ID", o="D"),
)

PATHS: dict[str, tuple[dict[str, object], dict[str, object], dict[str, object], str]] = {
    # of the root, the CA in the middle, the leaf; what the reason says
    "nothing is wrong": ({}, {}, {}, ""),
    "the root's own pathLen": ({"path_length": 0}, {}, {}, "allows 0 authorities below it"),
    "names of another country": ({"constraints": within(DN(name(c="MY")))}, {}, {}, "nameConstraints"),
    "the CA in the middle constrains": ({}, {"constraints": within(DN(name(c="MY")))}, {}, "nameConstraints"),
    "an alternative name counts, too": (
        {},
        {"constraints": within(DNS("go.id"))},
        {"alternative": "evil.example"},
        "evil.example",
    ),
    "usages nest": ({}, {"extended": (ExtendedKeyUsageOID.SERVER_AUTH,)}, {}, "extendedKeyUsage"),
    "the root's usages nest": ({"extended": (ExtendedKeyUsageOID.CODE_SIGNING,)}, {}, {}, "extendedKeyUsage"),
    "a CA that is none": ({}, {"ca": False}, {}, "not an authority"),
}  # fmt: skip


@pytest.mark.parametrize("case", PATHS)
def test_every_constraint_of_a_path_is_named_when_it_is_broken(case: str) -> None:
    of_root, of_middle, of_leaf, words = PATHS[case]
    root_key, middle_key, leaf_key = keys(3)
    root = certify(ROOT, ROOT, key=root_key, signer=root_key, **of_root)  # type: ignore[arg-type]
    middle = certify(MIDDLE, ROOT, key=middle_key, signer=root_key, **of_middle)  # type: ignore[arg-type]
    leaf = certify(LEAF, MIDDLE, key=leaf_key, signer=middle_key, ca=False, **of_leaf)  # type: ignore[arg-type]
    status, reason = judged(leaf, middle, root)
    assert status is (PathStatus.CONSTRAINT if words else PathStatus.GOOD), reason
    assert words in reason


def test_a_good_path_wins_over_one_that_breaks_a_constraint() -> None:
    root_key, other_key, middle_key, leaf_key = keys(4)
    root = certify(ROOT, ROOT, key=root_key, signer=root_key)
    other = certify(name(cn="Other"), name(cn="Other"), key=other_key, signer=other_key)
    narrow = certify(MIDDLE, ROOT, key=middle_key, signer=root_key, constraints=within(DN(name(c="MY"))))
    wide = certify(MIDDLE, name(cn="Other"), key=middle_key, signer=other_key)
    leaf = certify(LEAF, MIDDLE, key=leaf_key, signer=middle_key, ca=False)
    verdict = check_path(
        leaf,
        intermediates=(narrow, wide),
        anchors=(root, other),
        at=NOW,
        use=CertifiedUse.SEAL,
        evidence=None,
    )
    assert verdict.status is PathStatus.GOOD, verdict.reason
    assert verdict.chain[-1] == other


def test_self_issued_certificates_in_between_are_exempt_and_the_leaf_is_not() -> None:
    old, new, leaf_key = keys(3)
    ca = name(c="MY", cn="CA")
    anchor = certify(ca, ca, key=old, signer=old, constraints=within(DN(name(c="ID"))))
    link = certify(ca, ca, key=new, signer=old)
    good = certify(LEAF, ca, key=leaf_key, signer=new, ca=False)
    assert outside_constraints((good, link, anchor)) is None
    bad = certify(name(c="MY", o="D"), ca, key=leaf_key, signer=new, ca=False)
    assert outside_constraints((bad, link, anchor)) is not None


def test_links_use_up_no_path_length_and_real_cas_do() -> None:
    old, new, leaf_key = keys(3)
    ca = name(cn="CA")
    anchor = certify(ca, ca, key=old, signer=old, path_length=0)
    link = certify(ca, ca, key=new, signer=old, path_length=0)
    leaf = certify(LEAF, ca, key=leaf_key, signer=new, ca=False)
    assert judged(leaf, link, anchor)[0] is PathStatus.GOOD
    below = certify(LOW, ca, key=new, signer=old)
    leaf = certify(LEAF, LOW, key=leaf_key, signer=new, ca=False)
    status, reason = judged(leaf, below, anchor)
    assert (status, "allows 0" in reason) == (PathStatus.CONSTRAINT, True)


def test_a_mesh_of_cross_certificates_is_given_up_in_bounded_time() -> None:
    """Everybody certifies everybody, nobody is trusted: the paths are more than atoms, the effort is not."""
    made = keys(12)
    names = [name(cn=f"CA {number}") for number in range(12)]
    mesh = [
        certify(names[to], names[by], key=made[to], signer=made[by])
        for to in range(12)
        for by in range(12)
        if to != by
    ]
    leaf = certify(LEAF, names[0], ca=False, signer=made[0])
    anchor = certify(ROOT, ROOT)
    begun = time.perf_counter()
    status, _ = judged(leaf, *mesh, anchor)
    verdict = check_authority(mesh[0], intermediates=tuple(mesh), anchors=(anchor,), at=NOW)
    spent = time.perf_counter() - begun
    assert (status, verdict.status) == (PathStatus.NO_PATH, PathStatus.NO_PATH)
    assert spent < 20  # a few hundred signatures at most, on a machine that does other things as well


def test_two_keys_that_certify_each_other_are_no_way_round_in_a_circle() -> None:
    one, other = keys(2)
    ca = name(cn="CA")
    first, second = certify(ca, ca, key=one, signer=other), certify(ca, ca, key=other, signer=one)
    leaf = certify(LEAF, ca, signer=one, ca=False)
    assert judged(leaf, first, second, certify(ROOT, ROOT))[0] is PathStatus.NO_PATH
