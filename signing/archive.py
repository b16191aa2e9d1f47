"""Many sealed files under one time-stamp: hash trees and evidence records by RFC 4998. Pure.

A file that was sealed is not touched again: holders have it, and readers of PDFs do not all accept what
follows a certification. So a later proof that it was there stands beside it. Thousands of files share one
time-stamp: it is over the root of a tree of digests, and each file's record holds the digests beside its own
path (the reduced hash tree, 4.2), by which anybody computes the root again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ca.cms import ID_SHA256, read_signed_data
from ca.der import OCTET_STRING, SEQUENCE, expect, implicit, integer, octet_string, oid, read_whole, sequence
from ca.errors import MalformedDer

_SIZE: Final = 32
_SHA256: Final = sequence(oid(ID_SHA256))


@dataclass(frozen=True, slots=True)
class ArchiveStamp:
    """A time-stamp over a tree. ``unit`` is the SHA-256 of the unit's certificate; ``at`` is aware UTC."""

    id: str
    token: bytes
    at: datetime
    unit: bytes


@dataclass(frozen=True, slots=True)
class HashTree:
    """``root`` is what is stamped; ``paths`` lead from each leaf to it, the nearest sibling first."""

    root: bytes
    paths: Mapping[bytes, bytes]


def hash_tree(digests: Sequence[bytes]) -> HashTree:
    """The binary tree over distinct SHA-256 ``digests``, at least one.

    A node is the digest of its two children, the smaller one first (4.2.1); one without a sibling goes up as
    it is. A single leaf is its own root.
    """
    if not digests or any(len(digest) != _SIZE for digest in digests):
        raise ValueError("a tree is made of one SHA-256 digest or more")
    if len(set(digests)) != len(digests):
        raise ValueError("a file stands in a tree once")
    paths: dict[bytes, list[bytes]] = {digest: [] for digest in digests}
    level: list[tuple[bytes, tuple[bytes, ...]]] = [(digest, (digest,)) for digest in sorted(digests)]
    while len(level) > 1:
        above = []
        for position in range(0, len(level) - 1, 2):
            (left, under_left), (right, under_right) = level[position], level[position + 1]
            for leaf in under_left:
                paths[leaf].append(right)
            for leaf in under_right:
                paths[leaf].append(left)
            above.append((_node(left, right), under_left + under_right))
        level = above + level[len(level) - len(level) % 2 :]
    return HashTree(level[0][0], {leaf: b"".join(beside) for leaf, beside in paths.items()})


def root_of(digest: bytes, path: bytes) -> bytes:
    """The root that a file with this SHA-256 leads to along ``path``."""
    for start in range(0, len(path), _SIZE):
        digest = _node(digest, path[start : start + _SIZE])
    return digest


def evidence_record(digest: bytes, token: bytes, path: bytes) -> bytes:
    """DER EvidenceRecord (3.1) with one archive time-stamp, for the file with this SHA-256."""
    siblings = [path[start : start + _SIZE] for start in range(0, len(path), _SIZE)]
    # The first list of the reduced tree holds the file's own digest, and its sibling (4.2.2).
    groups = [[digest, siblings[0]], *([sibling] for sibling in siblings[1:])] if siblings else []
    tree = b"".join(sequence(*map(octet_string, sorted(group))) for group in groups)
    reduced = implicit(2, True, tree) if tree else b""
    stamp = sequence(implicit(0, True, _SHA256[2:]), reduced, token)
    return sequence(integer(1), sequence(_SHA256), sequence(sequence(stamp)))


def read_evidence_record(encoded: bytes, digest: bytes) -> bytes:
    """The time-stamp token of a record that :func:`evidence_record` made for the file with this SHA-256.

    Strict: one encoding per record. That the token is genuine is for the caller to find out.
    Raises :class:`ca.errors.MalformedDer` for anything else, and for the record of another file.
    """
    _, _, chains = read_whole(encoded, SEQUENCE).children()
    (chain,) = expect(chains, SEQUENCE).children()
    (stamp,) = expect(chain, SEQUENCE).children()
    _, *tree, token = expect(stamp, SEQUENCE).children()
    groups = [
        [expect(leaf, OCTET_STRING).content for leaf in expect(group, SEQUENCE).children()]
        for reduced in tree
        for group in reduced.children()
    ]
    path = b"".join(beside for group in groups for beside in group if beside != digest)
    if evidence_record(digest, token.encoded, path) != encoded:
        raise MalformedDer("it is not the one encoding of an evidence record for this file")
    if root_of(digest, path) != stamped_root(token.encoded):
        raise MalformedDer("the time-stamp in it is over something else")
    return token.encoded


def stamped_root(token: bytes) -> bytes:
    """What a time-stamp token is over. Raises :class:`ca.errors.MalformedDer`."""
    content = read_signed_data(token).content
    if content is None:
        raise MalformedDer("the content is not TSTInfo")
    imprint = list(read_whole(content, SEQUENCE).children())[2]
    _, digest = list(expect(imprint, SEQUENCE).children())
    return expect(digest, OCTET_STRING).content


def _node(one: bytes, other: bytes) -> bytes:
    return hashlib.sha256(min(one, other) + max(one, other)).digest()
