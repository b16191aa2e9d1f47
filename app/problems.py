"""The one table from error class to HTTP answer: problem types (RFC 9457) with stable URIs.

Slices raise errors named for the fact; only here do they get a status. :mod:`app.answers` writes the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app import errors as app
from app.compromise import errors as compromise
from app.rotation import errors as rotation
from ca import errors as ca
from identity import errors as identity
from identity.agencies import errors as agencies
from identity.factors import errors as factors
from identity.login import errors as login
from identity.mail import errors as mail
from identity.operators import errors as operators
from identity.people import errors as people
from identity.provider import errors as provider
from identity.web import errors as web
from signing import errors as signing
from verify import errors as verify


@dataclass(frozen=True, slots=True)
class Problem:
    """``slug`` is the stable end of the type URI; titles are for people, in English and Indonesian."""

    status: int
    slug: str
    title: str
    judul: str


INTERNAL: Final = Problem(500, "internal", "Something failed on our side", "Terjadi kesalahan di pihak kami")
NOT_FOUND: Final = Problem(404, "not-found", "Nothing is at this address", "Alamat ini tidak ada")
METHOD: Final = Problem(
    405,
    "method-not-allowed",
    "This address does not take this method",
    "Metode ini tidak berlaku di alamat ini",
)
VALIDATION: Final = Problem(
    422, "request-invalid", "The request does not have the right form", "Bentuk permintaan tidak sesuai"
)
UNREADABLE: Final = Problem(
    400, "request-unreadable", "The request cannot be read", "Permintaan tidak dapat dibaca"
)
UNAVAILABLE: Final = Problem(
    503, "unavailable", "Not available at the moment", "Layanan sedang tidak tersedia"
)
_PASSWORD = Problem(
    422, "password-refused", "This cannot be a password", "Kata sandi ini tidak dapat dipakai"
)
_PASSKEY = Problem(401, "passkey-not-accepted", "The passkey was not accepted", "Kunci sandi tidak diterima")
_FACTOR = Problem(
    409, "factor-conflict", "The ways to log in do not allow this", "Cara masuk tidak mengizinkan ini"
)
_FACTOR_GONE = Problem(
    410, "factor-set-up-over", "This set-up is over, start again", "Pendaftaran ini berakhir, mulai lagi"
)
_TOKEN = Problem(401, "access-token-invalid", "The access token is not valid", "Token akses tidak berlaku")
_OAUTH = Problem(400, "token-request-invalid", "The token request was refused", "Permintaan token ditolak")
_CLIENT = Problem(
    401, "client-not-authenticated", "The client did not prove who it is", "Identitas klien tidak terbukti"
)
_PORTAL_REQUEST = Problem(
    400,
    "login-request-invalid",
    "The portal's request cannot be used",
    "Permintaan portal tidak dapat dipakai",
)
_ADMIN = Problem(
    422, "administration-refused", "The registration breaks a rule", "Pendaftaran melanggar aturan"
)
_DUTIES = Problem(
    409, "duties-separated", "The rules of separate duties forbid this", "Dilarang aturan pemisahan tugas"
)
_LOGIN_AGAIN = Problem(401, "login-again", "Log in again", "Masuk sekali lagi")
_FACTS = Problem(
    422, "document-facts-invalid", "A fact about the document breaks a rule", "Data dokumen melanggar aturan"
)
_NO_TIME = Problem(
    503, "time-not-available", "Nobody vouches for the time now", "Waktu tepercaya belum tersedia"
)
_RECEIPT = Problem(422, "receipt-invalid", "The receipt cannot be believed", "Kode QR tidak dapat dipercaya")
_NOT_UNDERSTOOD = Problem(
    415, "upload-not-understood", "This kind of upload is not read here", "Jenis unggahan tidak dikenal"
)
_UPLOAD = Problem(422, "upload-incomplete", "The upload is incomplete", "Unggahan tidak lengkap")

_PERSON = Problem(
    422, "person-data-invalid", "A detail about a person cannot be right", "Data diri tidak sesuai"
)
_ACCOUNT = Problem(
    409, "account-state-forbids", "The account does not allow this now", "Status akun tidak mengizinkan"
)
_PRIVACY = Problem(
    409, "privacy-request-state", "The request is open or closed already", "Permintaan sudah ada atau selesai"
)
_ROTATION = Problem(
    409, "rotation-refused", "The key cannot be changed that way now", "Kunci belum dapat diganti begitu"
)

_CASE = Problem(
    409, "compromise-case-state", "The case of a lost key forbids this", "Status kasus kunci melarang ini"
)

PROBLEMS: Final[Mapping[type[Exception], Problem]] = {
    # app
    app.SettingsInvalid: INTERNAL,
    app.UnsafeForProduction: INTERNAL,
    app.NotInitialised: UNAVAILABLE,
    app.DatabaseNotReady: UNAVAILABLE,
    app.StorageNotReady: UNAVAILABLE,
    app.AuditChainBroken: INTERNAL,
    rotation.NothingToRotate: _ROTATION,
    rotation.RotationUnderWay: _ROTATION,
    rotation.CanaryFailed: _ROTATION,
    rotation.DestructionRefused: _ROTATION,
    rotation.RotationNotWaiting: _ROTATION,
    rotation.SealRefused: _ROTATION,
    rotation.UnitNotDistrusted: _ROTATION,
    rotation.RotationUnknown: Problem(
        404, "rotation-unknown", "There is no such rotation", "Penggantian kunci ini tidak ada"
    ),
    app.AnchorInvalid: INTERNAL,
    app.AuditFileInvalid: INTERNAL,
    app.BackupFailed: INTERNAL,
    app.BackupInvalid: INTERNAL,
    app.BodyTooLarge: Problem(
        413, "body-too-large", "The request's body is too large", "Isi permintaan terlalu besar"
    ),
    app.BodyTooSlow: Problem(
        408, "body-too-slow", "The request's body took too long", "Isi permintaan terlalu lama dikirim"
    ),
    app.CredentialsMissing: Problem(
        401, "access-token-missing", "An access token is needed", "Token akses diperlukan"
    ),
    app.AuthenticationInsufficient: Problem(
        401, "authentication-insufficient", "A fresh login is needed", "Perlu masuk ulang"
    ),
    # app, the loss of a key
    compromise.CaseUnknown: NOT_FOUND,
    compromise.CaseInvalid: _CASE,
    compromise.CaseNotOpen: _CASE,
    compromise.CaseDecided: _CASE,
    compromise.DecisionMissing: _CASE,
    compromise.DocumentsWait: _CASE,
    compromise.NoIndependentTime: UNAVAILABLE,
    # identity
    identity.TokenRequestInvalid: _OAUTH,
    identity.GrantNotSupported: _OAUTH,
    identity.TooManyAttempts: Problem(
        429, "too-many-attempts", "Too many wrong secrets", "Terlalu banyak rahasia yang salah"
    ),
    identity.ScopeNotGranted: _OAUTH,
    identity.ClientNotAuthenticated: _CLIENT,
    identity.TokenMalformed: _TOKEN,
    identity.TokenNotOurs: _TOKEN,
    identity.TokenExpired: _TOKEN,
    identity.TokenClaimsInvalid: _TOKEN,
    identity.TokenClientGone: _TOKEN,
    identity.TokenFormWrong: _TOKEN,
    identity.AlgorithmRefused: _TOKEN,
    identity.TokenTypeWrong: _TOKEN,
    identity.CriticalHeader: _TOKEN,
    identity.KeyNotFound: _TOKEN,
    identity.SignatureWrong: _TOKEN,
    identity.JwkInvalid: _ADMIN,
    # identity, its agencies' systems
    agencies.AssertionRefused: _CLIENT,
    agencies.SecretsForDevelopment: _CLIENT,
    agencies.DpopProofInvalid: _OAUTH,
    agencies.DpopNonceNeeded: _OAUTH,
    agencies.CertificateUnreadable: _OAUTH,
    agencies.BindingMissing: _OAUTH,
    agencies.TokenNotBoundSo: _TOKEN,
    agencies.ProofNotAccepted: _TOKEN,
    agencies.ProofNonceNeeded: _TOKEN,
    agencies.SecretsNotIssued: _ADMIN,
    agencies.ClientKeyUnknown: _ADMIN,
    agencies.ClientShut: _ADMIN,
    agencies.SecondPersonNeeded: _DUTIES,
    agencies.ProposalUnknown: NOT_FOUND,
    agencies.ProposalNotOpen: _DUTIES,
    agencies.ProposalWaits: _DUTIES,
    agencies.ProposalChanged: _DUTIES,
    agencies.ProposerGone: _DUTIES,
    # identity, what people prove themselves with
    factors.PasswordTooShort: _PASSWORD,
    factors.PasswordTooLong: _PASSWORD,
    factors.PasswordCharacterRefused: _PASSWORD,
    factors.PasswordCommon: _PASSWORD,
    factors.PasswordBreached: _PASSWORD,
    factors.PasswordPersonal: _PASSWORD,
    factors.PasswordsBusy: UNAVAILABLE,
    factors.TotpSetupGone: _FACTOR_GONE,
    factors.TotpCodeWrong: Problem(
        422, "totp-code-wrong", "The app shows another code", "Aplikasi menampilkan kode lain"
    ),
    factors.PasskeyChallengeGone: _FACTOR_GONE,
    factors.PasskeyUnknown: _PASSKEY,
    factors.PasskeyNotVerified: _PASSKEY,
    factors.PasskeyCounterWentBack: _PASSKEY,
    factors.PasskeyExists: _FACTOR,
    factors.PasskeysTooMany: _FACTOR,
    factors.FactorUnknown: NOT_FOUND,
    factors.FactorNeeded: _FACTOR,
    factors.HolderUnknown: NOT_FOUND,
    # identity, the way in
    login.LoginRefused: Problem(
        401, "login-refused", "This does not match an account", "Tidak cocok dengan akun mana pun"
    ),
    login.AnswerRefused: Problem(
        401, "answer-refused", "The code or passkey was not accepted", "Kode atau kunci sandi tidak diterima"
    ),
    login.LoginDelayed: Problem(
        429, "login-delayed", "Too many wrong answers, wait a moment", "Terlalu banyak salah, tunggu sebentar"
    ),
    login.AccountSuspended: Problem(
        403, "account-suspended", "This account is suspended", "Akun ini dibekukan"
    ),
    login.HalfSessionGone: _LOGIN_AGAIN,
    login.SessionGone: _LOGIN_AGAIN,
    login.StepUpNeeded: Problem(
        401, "authentication-insufficient", "A fresh login is needed", "Perlu masuk ulang"
    ),
    login.LinkGone: Problem(
        410, "link-gone", "This link or code no longer works", "Tautan atau kode ini tidak berlaku lagi"
    ),
    login.SetupIncomplete: Problem(
        409, "setup-incomplete", "A way to log in is still missing", "Cara masuk belum lengkap"
    ),
    login.PlacesUnreadable: INTERNAL,
    login.RecoveryNeedsOfficer: Problem(
        403, "officer-needed", "Only a counter can give access back", "Akses hanya dapat dipulihkan di loket"
    ),
    # identity, its portals
    provider.PortalInvalid: _ADMIN,
    provider.PortalUnknown: _ADMIN,
    provider.PortalNotRecognised: _PORTAL_REQUEST,
    provider.RedirectNotRegistered: _PORTAL_REQUEST,
    provider.FlowGone: _PORTAL_REQUEST,
    provider.LogoutNotTrusted: _PORTAL_REQUEST,
    provider.AuthorizationRefused: _PORTAL_REQUEST,
    provider.GrantInvalid: _OAUTH,
    provider.GrantNotForClient: _OAUTH,
    provider.PushRefused: _OAUTH,
    provider.RevocationNotSupported: _OAUTH,
    provider.TokenGrantGone: _TOKEN,
    provider.TokenScopeMissing: Problem(
        403, "access-token-scope", "The access token lacks a scope", "Token akses kurang cakupannya"
    ),
    identity.ScopeInvalid: _ADMIN,
    identity.NameInvalid: _ADMIN,
    identity.AgencyExists: _ADMIN,
    identity.AgencyUnknown: _ADMIN,
    identity.ClientUnknown: _ADMIN,
    identity.RegistryUnavailable: UNAVAILABLE,
    # people
    people.PersonDataInvalid: _PERSON,
    people.NikInvalid: _PERSON,
    people.PersonUnknown: Problem(
        404, "person-unknown", "There is no such person here", "Orang ini tidak terdaftar"
    ),
    people.PersonStateForbids: _ACCOUNT,
    people.PersonChanged: _ACCOUNT,
    people.CodeInvalid: Problem(
        422, "code-invalid", "The code is not valid, or not any more", "Kode tidak berlaku atau sudah dipakai"
    ),
    people.NikTaken: Problem(
        409, "nik-taken", "Another account holds this NIK", "NIK ini sudah dipakai akun lain"
    ),
    people.ProofingRefused: Problem(
        422, "proofing-refused", "The registry could not confirm this", "Data tidak dapat dipastikan"
    ),
    people.TooManyProofings: Problem(
        429, "too-many-proofings", "The registry was asked too often", "Terlalu sering bertanya"
    ),
    people.SimulatorForbidden: INTERNAL,
    people.PrivacyRequestUnknown: Problem(
        404, "privacy-request-unknown", "There is no such request", "Permintaan ini tidak ada"
    ),
    people.PrivacyRequestClosed: _PRIVACY,
    people.PrivacyRequestRepeated: _PRIVACY,
    # mail
    mail.MailUnknown: INTERNAL,
    mail.MailValuesWrong: INTERNAL,
    mail.MailAddressInvalid: Problem(
        422, "mail-address-invalid", "This is not an email address", "Ini bukan alamat email"
    ),
    mail.MailNotFound: NOT_FOUND,
    mail.MailServerUnavailable: UNAVAILABLE,
    mail.MailDeferred: UNAVAILABLE,
    mail.MailRefused: UNAVAILABLE,
    # identity: people in a role
    operators.RoleMissing: Problem(
        403, "role-missing", "This is not part of your tasks", "Ini bukan bagian tugas Anda"
    ),
    operators.RoleConflict: _DUTIES,
    operators.RoleHeld: _DUTIES,
    operators.GrantUnknown: _DUTIES,
    operators.GrantNotOpen: _DUTIES,
    operators.FourEyesNeeded: _DUTIES,
    operators.ActsOnOneself: _DUTIES,
    operators.OperatorUnfit: _DUTIES,
    operators.SearchesDelayed: Problem(
        429, "searches-delayed", "Too many searches, wait a moment", "Terlalu banyak mencari, tunggu sebentar"
    ),
    # identity's pages, which answer most of these with a page of their own
    web.LoginNeeded: Problem(401, "login-needed", "Log in first", "Masuk dahulu"),
    web.FormRefused: Problem(
        403, "form-refused", "The form did not come from our page", "Formulir tidak berasal dari halaman kami"
    ),
    web.FormUnreadable: UNREADABLE,
    web.PageUnknown: NOT_FOUND,
    # signing
    signing.RequestRefused: _FACTS,
    signing.UnknownDocumentType: Problem(
        422, "document-type-unknown", "There is no such document type", "Jenis dokumen tidak dikenal"
    ),
    signing.PersonalDataInPublicField: Problem(
        422, "personal-data-in-public-field", "A public field holds personal data",
        "Kolom publik berisi data pribadi",
    ),
    signing.NotPermitted: Problem(
        403, "scope-missing", "The access token does not reach this far", "Token akses tidak mencakup ini"
    ),
    signing.DocumentNotFound: Problem(
        404, "document-not-found", "No such document of yours", "Dokumen tidak ditemukan"
    ),
    signing.StateForbids: Problem(
        409, "state-forbids", "The document's state does not allow this", "Status dokumen tidak mengizinkan"
    ),
    signing.IdempotencyConflict: Problem(
        422, "idempotency-conflict", "The idempotency key belongs to other content",
        "Kunci idempotensi dipakai untuk isi lain",
    ),
    signing.JobInProgress: Problem(
        409, "job-in-progress", "The same request is being worked on", "Permintaan sama sedang dikerjakan"
    ),
    signing.NoActiveSeal: Problem(
        409, "no-active-seal", "The agency has no seal that may sign now", "Instansi belum punya segel aktif"
    ),
    signing.SourceMissing: UNAVAILABLE,
    signing.SourceLost: Problem(
        410, "pdf-lost", "The PDF was lost before it was sealed", "PDF hilang sebelum disegel"
    ),
    signing.PartMissing: _UPLOAD,
    signing.NotAForm: _NOT_UNDERSTOOD,
    signing.StampTextTooLong: Problem(
        422, "stamp-text-too-long", "A text does not fit on the stamp", "Teks tidak muat di stempel"
    ),
    signing.ReceiptMalformed: _RECEIPT,
    signing.ReceiptNotAuthentic: _RECEIPT,
    signing.PagesNotInspected: UNAVAILABLE,
    signing.SealNotReleased: INTERNAL,
    signing.EmptyFile: Problem(422, "pdf-empty", "The file is empty", "Berkas kosong"),
    signing.NotAPdf: Problem(422, "pdf-not-a-pdf", "The file is not a PDF", "Berkas bukan PDF"),
    signing.TruncatedPdf: Problem(422, "pdf-truncated", "The PDF is cut off", "PDF terpotong"),
    signing.BrokenPdf: Problem(422, "pdf-broken", "The PDF cannot be read", "PDF rusak"),
    signing.EncryptedPdf: Problem(422, "pdf-encrypted", "The PDF is encrypted", "PDF terenkripsi"),
    signing.FileTooLarge: Problem(413, "pdf-too-large", "The PDF is too large", "PDF terlalu besar"),
    signing.TooManyPages: Problem(
        422, "pdf-too-many-pages", "The PDF has too many pages", "Halaman PDF terlalu banyak"
    ),
    signing.DecompressionBomb: Problem(
        422, "pdf-decompression-bomb", "The PDF unpacks to far too much", "Isi PDF terlalu besar bila dibuka"
    ),
    signing.LockedByEarlierSignature: Problem(
        422, "pdf-locked", "An earlier signature locks the PDF", "PDF dikunci tanda tangan sebelumnya"
    ),
    signing.NoRoomForStamp: Problem(
        422, "no-room-for-stamp", "The stamp does not fit", "Tidak ada tempat untuk stempel"
    ),
    signing.UnprintableCharacter: Problem(
        422, "unprintable-character", "The stamp cannot print a character", "Ada huruf yang tak dapat dicetak"
    ),
    # A refusal recorded by another release, whose class this one does not know.
    signing.PdfRefused: Problem(422, "pdf-refused", "The PDF cannot be sealed", "PDF tidak dapat disegel"),
    # verify
    verify.UnknownDocument: Problem(
        404, "document-unknown", "Nobody issued this document", "Dokumen ini tidak pernah diterbitkan"
    ),
    verify.UploadTooLarge: Problem(413, "upload-too-large", "The file is too large", "Berkas terlalu besar"),
    verify.UploadIncomplete: _UPLOAD,
    verify.UploadNotUnderstood: _NOT_UNDERSTOOD,
    verify.VerifierBusy: Problem(
        503, "verifier-busy", "Too many verifications at once", "Terlalu banyak verifikasi sekaligus"
    ),
    verify.EvidenceUnusable: UNREADABLE,
    verify.TrustFolderInvalid: UNAVAILABLE,
    # ca
    ca.MalformedDer: UNREADABLE,
    ca.ProfileInvalid: INTERNAL,
    ca.IssuanceRefused: INTERNAL,
    ca.HierarchyIncomplete: UNAVAILABLE,
    ca.KeyHeldElsewhere: UNAVAILABLE,
    ca.CeremonyRefused: INTERNAL,
    ca.TranscriptInvalid: INTERNAL,
    ca.InstallationRefused: Problem(
        422, "installation-refused", "What was brought does not fit", "Yang dibawa tidak cocok"
    ),
    ca.CertificateUnknown: NOT_FOUND,
    ca.CertificateNotGood: UNAVAILABLE,
    ca.RevocationRefused: Problem(
        409, "revocation-refused", "The status cannot change that way", "Status tidak dapat diubah demikian"
    ),
    ca.TimeNotAvailable: _NO_TIME,
    ca.ClockOutOfAccuracy: _NO_TIME,
    ca.ClockNotHeard: _NO_TIME,
    ca.TimeSourceSilent: _NO_TIME,
    ca.TimeStamperUnreachable: _NO_TIME,
    ca.TimeStamperPaused: _NO_TIME,
    ca.TimeStampRejected: _NO_TIME,
    ca.TimeStampNotBelieved: _NO_TIME,
    ca.UnitChanged: _NO_TIME,
}  # fmt: skip

# Named, not imported: the public process maps its errors with this table and must not load `keys`.
CUSTODY_ROOT: Final = "keys.errors.KeyCustodyError"
"""Whatever custody raises is on our side, but for what custodians are refused."""

_KEY_REQUEST = Problem(
    409, "key-request-state", "The request does not allow this now", "Permintaan tidak mengizinkan ini"
)
_CUSTODIANS = Problem(
    422, "custodian-invalid", "This cannot be a custodian's entry", "Data pemegang kunci tidak dapat dipakai"
)
CUSTODY: Final[Mapping[str, Problem]] = {
    "RequestUnknown": Problem(
        404, "key-request-unknown", "There is no such request", "Permintaan ini tidak ada"
    ),
    "RequestInvalid": Problem(
        422, "key-request-invalid", "The request lacks or has too much", "Permintaan kurang atau berlebih"
    ),
    "RequestNotOpen": _KEY_REQUEST,
    "RequestExpired": _KEY_REQUEST,
    "NotApproved": _KEY_REQUEST,
    "RequestAltered": Problem(
        409, "key-request-void", "The request was altered and is void", "Permintaan diubah dan batal"
    ),
    "CustodianUnknown": Problem(
        403, "custodian-unknown", "You are not in the register", "Anda tidak tercantum sebagai pemegang kunci"
    ),
    "RequesterDecides": _DUTIES,
    "DecidedBefore": _KEY_REQUEST,
    "ProofRefused": Problem(
        422, "proof-refused", "The signature does not prove this", "Tanda tangan tidak membuktikan ini"
    ),
    "CustodiansChangeRefused": _CUSTODIANS,
    "CustodianKeyRefused": _CUSTODIANS,
}
"""Leaves of ``keys.errors`` that people outside meet, by name."""


def problem_of(error: Exception) -> Problem:
    """The table's entry for an error's class, or for the nearest class above it."""
    for kind in type(error).__mro__:
        if kind in PROBLEMS:
            return PROBLEMS[kind]
        if kind.__module__ == "keys.errors" and kind.__name__ in CUSTODY:
            return CUSTODY[kind.__name__]
        if f"{kind.__module__}.{kind.__qualname__}" == CUSTODY_ROOT:
            return UNAVAILABLE
    return INTERNAL
