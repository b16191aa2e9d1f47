"""Evidence records: what they say is checked by structures and tools that are not ours."""

from __future__ import annotations

import hashlib

import pytest
from asn1crypto import tsp

from ca.cms import stated_time
from signing.archive import evidence_record, hash_tree, root_of, stamped_root
from tests.signing.pki import NOW, hierarchy


def digests(count: int) -> list[bytes]:
    return [hashlib.sha256(b"file %d" % number).digest() for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 33, 1000])
def test_every_file_of_a_tree_leads_to_its_root_and_no_other_file_does(count: int) -> None:
    files = digests(count)
    tree = hash_tree(files)
    assert set(tree.paths) == set(files)
    for file in files:
        assert root_of(file, tree.paths[file]) == tree.root
        assert len(tree.paths[file]) <= 32 * max(1, (count - 1).bit_length())
    stranger = hashlib.sha256(b"another").digest()
    assert all(root_of(stranger, path) != tree.root for path in tree.paths.values())


def test_the_order_in_which_files_come_changes_nothing() -> None:
    files = digests(9)
    assert hash_tree(files) == hash_tree(files[::-1])


@pytest.mark.parametrize("files", [[], [b"short"], digests(2) + digests(1)], ids=["none", "short", "twice"])
def test_what_is_no_set_of_digests_makes_no_tree(files: list[bytes]) -> None:
    with pytest.raises(ValueError, match="tree"):
        hash_tree(files)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_record_is_an_evidence_record_of_rfc_4998_whose_hashes_lead_to_what_was_stamped(count: int) -> None:
    files = digests(count)
    tree = hash_tree(files)
    token = hierarchy().timestamper().token(tree.root)
    for file in files:
        encoded = evidence_record(file, token, tree.paths[file])
        record = tsp.EvidenceRecord.load(encoded, strict=True)
        assert record["version"].native == "v1"
        assert [entry["algorithm"].native for entry in record["digest_algorithms"]] == ["sha256"]
        # asn1crypto knows one level less than RFC 4998, 5.1: its sequence is our chain, the only one in ours.
        chains = record["archive_time_stamp_sequence"].contents
        (stamp,) = tsp.ArchiveTimeStampSequence.load(chains, strict=True)
        # RFC 4998, 4.3: the first group holds the file; each hash goes into the group behind it.
        reached = file
        for position, group in enumerate(stamp["reduced_hashtree"] or ()):
            known = {entry.native for entry in group}
            assert position or file in known
            reached = hashlib.sha256(b"".join(sorted(known | {reached}))).digest()
        content = stamp["time_stamp"]["content"]["encap_content_info"]["content"].parsed
        assert content["message_imprint"]["hashed_message"].native == reached == tree.root
        assert stamp["time_stamp"].dump() == token


def test_a_token_says_when_by_whom_and_over_what() -> None:
    tree = hash_tree(digests(3))
    stamper = hierarchy().timestamper()
    token = stamper.token(tree.root)
    stated = stated_time(token)
    assert stated.at == NOW
    assert stated.unit == hashlib.sha256(stamper.chain[0]).digest()
    assert stamped_root(token) == tree.root
