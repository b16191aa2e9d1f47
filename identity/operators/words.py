"""What the roles are called, in mails and on every page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from identity.operators.model import Role

ROLE_NAMES: Final[Mapping[str, Mapping[Role, str]]] = {
    "id": {
        Role.OFFICER: "Petugas loket",
        Role.AGENCY_ADMINISTRATOR: "Administrator instansi",
        Role.KEY_CUSTODIAN: "Pemegang kunci",
        Role.CA_ADMINISTRATOR: "Administrator sertifikat",
        Role.AUDITOR: "Pengawas",
        Role.HELP_DESK: "Petugas bantuan",
        Role.SIGNATORY: "Penanda tangan",
    },
    "en": {
        Role.OFFICER: "Officer at a counter",
        Role.AGENCY_ADMINISTRATOR: "Agency administrator",
        Role.KEY_CUSTODIAN: "Key custodian",
        Role.CA_ADMINISTRATOR: "CA administrator",
        Role.AUDITOR: "Auditor",
        Role.HELP_DESK: "Help desk",
        Role.SIGNATORY: "Signatory",
    },
}


def role_words(language: str) -> dict[str, str]:
    """The same as entries of a page's catalogue: ``role_officer`` and so on."""
    return {f"role_{role}": name for role, name in ROLE_NAMES[language].items()}
