"""Which certificate is in use now: that of the newest active key which has a good one.

A successor is certified while its key still waits, and so nobody uses it; to activate the key is the one
switch (one row), and from then on everybody does. The predecessor's key stays active beside it for a while.
"""

from __future__ import annotations

from ca.model import CertificateRecord, CertificateStatus, ProfileName
from ca.ports import Begin
from ca.profiles import PURPOSES
from ca.tables import Certificates
from keys.service import KeyService


def certificate_in_use(
    read: Begin, keys: KeyService, profile: ProfileName, owner: str = ""
) -> CertificateRecord | None:
    """None when no active key of this use has a good certificate. It may be outside its validity.

    Keys are read first: a key that is active was certified before, so its certificate is found.
    """
    for key in keys.in_use(PURPOSES[profile], owner):
        with read() as tx:
            record = Certificates(tx).of_key(key.id, profile)
        if record is not None and record.status is CertificateStatus.GOOD:
            return record
    return None
