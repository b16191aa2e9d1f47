"""What a request means, in plain words: on the page, in the terminal and in mails. Pure.

Whoever approves signs a digest; these words are how they know of what. So everything that a request holds is
told, its bare parameters included, and nothing is told that it does not hold but what the key's record adds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from identity.web.words import Language, shown_moment
from keys.approvals import KeyAct, KeyRequest
from keys.custodians import Change, ProofKind, key_in
from keys.endings import Ending, ending_of
from keys.model import KeyPurpose, KeyRecord, KeyState

ACTS: Final[Mapping[str, Mapping[KeyAct, str]]] = {
    "id": {
        KeyAct.ROTATE: "Ganti kunci",
        KeyAct.RETIRE: "Pensiunkan kunci",
        KeyAct.DESTROY: "Musnahkan kunci",
        KeyAct.REINSTATE: "Pakai lagi kunci yang dibekukan",
        KeyAct.COMPROMISE: "Nyatakan kunci bocor",
        KeyAct.CERTIFY: "Beri instansi sertifikat segel",
        KeyAct.TRUST: "Percayai lagi unit cap waktu",
        KeyAct.CUSTODIANS: "Ubah daftar pemegang kunci",
    },
    "en": {
        KeyAct.ROTATE: "Replace a key",
        KeyAct.RETIRE: "Retire a key",
        KeyAct.DESTROY: "Destroy a key",
        KeyAct.REINSTATE: "Use a suspended key again",
        KeyAct.COMPROMISE: "Declare a key compromised",
        KeyAct.CERTIFY: "Certify an agency's seal",
        KeyAct.TRUST: "Believe a time-stamping unit again",
        KeyAct.CUSTODIANS: "Change who may approve",
    },
}

CONSEQUENCES: Final[Mapping[str, Mapping[KeyAct, str]]] = {
    "id": {
        KeyAct.ROTATE: (
            "Kunci baru dibuat dan diberi sertifikat, lalu menggantikan yang lama. Yang sudah ditandatangani "
            "dengan kunci lama tetap sah."
        ),
        KeyAct.RETIRE: "Kunci ini tidak menandatangani apa pun lagi. Yang sudah ditandatangani tetap sah.",
        KeyAct.DESTROY: (
            "Kunci ini dihapus selamanya di sini; penyimpan cadangan menghapusnya dari sana dan "
            "menyatakannya. Tidak bisa dibatalkan. Yang sudah ditandatangani tetap sah."
        ),
        KeyAct.REINSTATE: "Pembekuan berakhir dan kunci ini menandatangani lagi.",
        KeyAct.COMPROMISE: (
            "Sertifikat kunci ini dicabut sejak waktu di bawah. Yang disegel sesudahnya tanpa cap waktu yang "
            "lebih awal dianggap palsu. Kunci baru menggantikannya. Tidak bisa dibatalkan."
        ),
        KeyAct.CERTIFY: (
            "Kunci baru dibuat dan diberi sertifikat dengan nama di bawah ini. Siapa pun yang memakai "
            "layanan atas nama instansi itu dapat menyegel dokumen dengan nama tersebut."
        ),
        KeyAct.TRUST: (
            "Cap waktu dari unit milik pihak lain ini dipercaya lagi, juga yang sudah dibuat. Bila kuncinya "
            "memang bocor, pencuri dapat memundurkan waktu sesukanya."
        ),
        KeyAct.CUSTODIANS: "Daftar orang yang boleh menyetujui tindakan atas kunci berubah.",
    },
    "en": {
        KeyAct.ROTATE: (
            "A new key is made and certified, and takes over from the old one. What the old key signed stays "
            "valid."
        ),
        KeyAct.RETIRE: "This key signs nothing any more. What it signed stays valid.",
        KeyAct.DESTROY: (
            "This key is erased for good here; whoever keeps backups removes it there and attests to that. "
            "It cannot be undone. What it signed stays valid."
        ),
        KeyAct.REINSTATE: "The suspension ends, and this key signs again.",
        KeyAct.COMPROMISE: (
            "The certificate of this key is revoked from the time below on. What was sealed after it and has "
            "no earlier time-stamp counts as forged. A new key takes its place. It cannot be undone."
        ),
        KeyAct.CERTIFY: (
            "A new key is made and certified under the name below. Whoever uses the service for that agency "
            "can seal documents in that name."
        ),
        KeyAct.TRUST: (
            "Time-stamps of this unit of others are believed again, those it made before, too. If its key "
            "was lost, the thief can write any past time."
        ),
        KeyAct.CUSTODIANS: "The list of people who may approve acts on keys changes.",
    },
}

CHANGES: Final[Mapping[str, Mapping[Change, str]]] = {
    "id": {
        Change.ADD: "{custodian} boleh menyetujui tindakan atas kunci, dengan kunci di bawah ini.",
        Change.REPLACE_KEY: "{custodian} selanjutnya menyetujui dengan kunci di bawah ini, tidak yang lama.",
        Change.REMOVE: "{custodian} tidak boleh lagi menyetujui apa pun.",
    },
    "en": {
        Change.ADD: "{custodian} may approve acts on keys, with the key below.",
        Change.REPLACE_KEY: "{custodian} approves with the key below from then on, and not with the old one.",
        Change.REMOVE: "{custodian} may approve nothing any more.",
    },
}

LABELS: Final[Mapping[str, Mapping[str, str]]] = {
    "id": {
        "key": "Kunci",
        "purpose": "Kegunaan",
        "owner": "Milik",
        "state": "Keadaan kunci",
        "algorithm": "Algoritme",
        "since": "Bocor sejak",
        "organisation": "Nama di sertifikat",
        "organization_identifier": "Nomor organisasi",
        "unit": "Sidik sertifikat unit (SHA-256)",
        "issuer": "Penerbit sertifikatnya",
        "change": "Perubahan",
        "custodian": "Pemegang kunci",
        "kind": "Jenis kunci",
        "public_key": "Kunci publik",
        "credential": "Kredensial passkey",
        "person": "Akun",
        "account": "Akun di mesin",
        "fingerprint": "Sidik kunci (SHA-256)",
        "reason": "Alasan",
    },
    "en": {
        "key": "Key",
        "purpose": "Purpose",
        "owner": "Owner",
        "state": "State of the key",
        "algorithm": "Algorithm",
        "since": "Compromised since",
        "organisation": "Name in the certificate",
        "organization_identifier": "Organisation identifier",
        "unit": "Certificate of the unit (SHA-256)",
        "issuer": "Issuer of that certificate",
        "change": "Change",
        "custodian": "Custodian",
        "kind": "Kind of key",
        "public_key": "Public key",
        "credential": "Passkey credential",
        "person": "Account",
        "account": "Login at the machine",
        "fingerprint": "Key fingerprint (SHA-256)",
        "reason": "Reason",
    },
}
"""In the order in which facts are told."""


PURPOSES: Final[Mapping[str, Mapping[str, str]]] = {
    "id": {
        KeyPurpose.ROOT_CA: "otoritas akar",
        KeyPurpose.ISSUING_CA: "otoritas penerbit",
        KeyPurpose.SEAL: "segel instansi",
        KeyPurpose.TIMESTAMPING: "cap waktu",
        KeyPurpose.OCSP: "jawaban status sertifikat",
        KeyPurpose.RECEIPT: "tanda terima di kode QR",
        KeyPurpose.TOKEN: "token akses",
        KeyPurpose.WRAPPING: "pembungkus kunci data",
        KeyPurpose.CEREMONY: "transkrip upacara kunci",
    },
    "en": {
        KeyPurpose.ROOT_CA: "root CA",
        KeyPurpose.ISSUING_CA: "issuing CA",
        KeyPurpose.SEAL: "seal of an agency",
        KeyPurpose.TIMESTAMPING: "time-stamps",
        KeyPurpose.OCSP: "answers on the status of certificates",
        KeyPurpose.RECEIPT: "receipts in QR codes",
        KeyPurpose.TOKEN: "access tokens",
        KeyPurpose.WRAPPING: "wrapping of data keys",
        KeyPurpose.CEREMONY: "transcripts of ceremonies",
    },
}

STATES: Final[Mapping[str, Mapping[str, str]]] = {
    "id": {
        KeyState.PRE_ACTIVATION: "belum dipakai",
        KeyState.ACTIVE: "dipakai",
        KeyState.SUSPENDED: "dibekukan",
        KeyState.DEACTIVATED: "dipensiunkan",
        KeyState.COMPROMISED: "bocor",
        KeyState.DESTROYED: "dimusnahkan",
    },
    "en": {
        KeyState.PRE_ACTIVATION: "not in use yet",
        KeyState.ACTIVE: "in use",
        KeyState.SUSPENDED: "suspended",
        KeyState.DEACTIVATED: "retired",
        KeyState.COMPROMISED: "compromised",
        KeyState.DESTROYED: "destroyed",
    },
}

KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "id": {ProofKind.P256: "berkas kunci", ProofKind.PASSKEY: "kunci sandi"},
    "en": {ProofKind.P256: "key file", ProofKind.PASSKEY: "passkey"},
}

_CHANGED: Final[Mapping[str, Mapping[str, str]]] = {
    "id": {Change.ADD: "tambahkan", Change.REPLACE_KEY: "ganti kuncinya", Change.REMOVE: "hapus"},
    "en": {Change.ADD: "add", Change.REPLACE_KEY: "replace the key", Change.REMOVE: "remove"},
}
_WORDS: Final = {"purpose": PURPOSES, "state": STATES, "kind": KINDS, "change": _CHANGED}
"""Of each fact whose values are a fixed few, what they are called."""


ENDINGS: Final[Mapping[str, Mapping[Ending, str]]] = {
    "id": {
        Ending.IN_USE: "Yang dipakai sekarang: {keys}.",
        Ending.IN_USE_ALONE: "Yang dipakai sekarang: {keys}. Dipensiunkan: {retired}.",
        Ending.PUBLISHED: "Kunci publiknya sudah diumumkan. Mulai menandatangani {moment} UTC.",
        Ending.BACKUPS: (
            "Kunci masih ada di cadangan basis data, token, dan kunci pembungkus yang lebih lama dari ini. "
            "Hapus, timpa, atau biarkan kedaluwarsa, lalu nyatakan itu dengan absah keys attest."
        ),
        Ending.SEALED_ANEW: "{count} dokumen disegel ulang.",
        Ending.FALSE_ALARM: "{case}: ternyata kuncinya tidak bocor.",
        Ending.REGISTER: "Daftar pemegang kunci sekarang versi {version}.",
        Ending.CALLED_OFF_FOR: "Dibatalkan oleh {actor}: {why}",
        Ending.CALLED_OFF: "Dibatalkan oleh {actor}.",
        Ending.RESTORED: "Layanan dipulihkan dari cadangan. Ajukan lagi bila masih perlu.",
    },
    "en": {
        Ending.IN_USE: "In use now: {keys}.",
        Ending.IN_USE_ALONE: "In use now: {keys}. Retired: {retired}.",
        Ending.PUBLISHED: "Its public key is published. It signs from {moment} UTC.",
        Ending.BACKUPS: (
            "The key is still in backups of the database, of the token and of the key-encryption key that "
            "are older than this. Delete or overwrite them, or let them lapse; say so by absah keys attest."
        ),
        Ending.SEALED_ANEW: "{count} documents were sealed anew.",
        Ending.FALSE_ALARM: "{case}: the key was not lost after all.",
        Ending.REGISTER: "The list of custodians is at version {version} now.",
        Ending.CALLED_OFF_FOR: "Called off by {actor}: {why}",
        Ending.CALLED_OFF: "Called off by {actor}.",
        Ending.RESTORED: "The service was restored from a backup. Ask again if it is still needed.",
    },
}


def told_ending(detail: str, language: str, name: Callable[[str], str] = str) -> str | None:
    """How an act ended, in words; None for words of the machine, which are English. ``name`` is what whoever
    called it off is called."""
    found = ending_of(detail)
    if found is None:
        return None
    ending, values = found
    shown = {which: name(value) if which == "actor" else value for which, value in values.items()}
    return ENDINGS[language][ending].format(**shown)


def worded(fact: str, value: str, language: Language) -> str:
    """``segel instansi (seal)``: what people call it, and what is signed. Other values stay as they are."""
    words = _moment(value, language) if fact == "since" else _WORDS.get(fact, {}).get(language, {}).get(value)
    return value if words is None else f"{words} ({value})"


def _moment(value: str, language: Language) -> str | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if moment.tzinfo is None else shown_moment(moment, language)


_PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "id": {"policy": "jadwal penggantian kunci", "upkeep": "pemeliharaan otomatis"},
    "en": {"policy": "the schedule of rotations", "upkeep": "automatic upkeep"},
}
_AT_THE_MACHINE: Final = {"id": "{name}, di mesin layanan", "en": "{name}, at the machine"}


def actor_told(actor: str, language: Language) -> str:
    """Who asks and is no person with an account: a part of the service, or somebody at its command line."""
    if actor.startswith("cli:"):
        return f"{_AT_THE_MACHINE[language].format(name=actor.removeprefix('cli:'))} ({actor})"
    words = _PARTS[language].get(actor)
    return actor if words is None else f"{words} ({actor})"


@dataclass(frozen=True, slots=True)
class Told:
    """``what`` will happen, in sentences; ``facts`` are labels and values of all that is in the request."""

    act: str
    what: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def told(request: KeyRequest, language: Language, *, key: KeyRecord | None = None) -> Told:
    """``key`` is the record of the key that the request names, if there is one.

    For requests that are what custody sealed: those were checked when they were made. Of one that is void
    nothing can be said but that.
    """
    labels, parameters = LABELS[language], request.parameters
    what, named = [CONSEQUENCES[language][request.act]], dict(parameters)
    if key is not None:
        of_record = {"purpose": key.purpose.value, "owner": key.owner, "state": key.state.value}
        named = {name: value for name, value in of_record.items() if value} | named
    if request.act is KeyAct.CUSTODIANS:
        what.append(CHANGES[language][Change(parameters["change"])].format(custodian=parameters["custodian"]))
        if (brought := key_in(parameters)) is not None:
            named["fingerprint"] = brought.id
    order = [*(name for name in labels if name in named), *(named.keys() - labels.keys())]
    facts = tuple((labels.get(name, name), worded(name, named[name], language)) for name in order)
    return Told(ACTS[language][request.act], tuple(what), facts)
