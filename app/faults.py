"""Problems as pages: for people whose browser came to an address that no page answers, or that fails.

Pages that answer for themselves (:mod:`identity.web.shell`, :mod:`verify.pages`) never come here. What does:
an address that nobody serves, a method that it does not take, a body that is too large, and whatever breaks
outside a page. Nothing of the request is repeated on it but its path, in a link to itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from app import web
from app.problems import METHOD, NOT_FOUND, Problem
from identity.web.cookies import Cookie, Jar
from identity.web.pages import Pages
from identity.web.visits import local_path
from identity.web.words import Language, Words, choose_language

_MACHINES: Final = re.compile(
    r"/(?:v1|csc|pki|ocsp|tsa|static|\.well-known)(?:/.*)?"
    r"|/oauth2/(?:token|par|introspect|revoke|userinfo|jwks).*"
    r"|/(?:healthz|readyz|metrics|openapi\.json)"
)
"""Addresses for programs: they answer problem documents, whoever asks."""

_JSON: Final = frozenset({"application/json", "application/problem+json"})
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})

_WORDS: Final[Words] = {
    "id": {
        "site_claim": "Dokumen dan akun",
        "footer": "Petugas tidak pernah meminta kata sandi atau kode Anda.",
        "fault_404_heading": "Halaman ini tidak ada",
        "fault_404": "Mungkin alamatnya salah ketik, atau halamannya sudah dipindahkan. Mulailah dari awal.",
        "fault_405_heading": "Halaman ini tidak bisa dibuka langsung",
        "fault_405": "Mulailah dari awal, lalu ikuti tombol di setiap halaman.",
        "fault_408": "Sambungan Anda terputus atau terlalu lambat. Coba lagi.",
        "fault_413": "Pilih berkas yang lebih kecil, lalu coba lagi.",
        "fault_429": "Tunggu sebentar, lalu coba lagi.",
        "fault_request": "Permintaan ini tidak dapat kami proses. Mulailah dari awal.",
        "fault_ours": "Ini bukan kesalahan Anda. Coba lagi beberapa menit lagi.",
        "fault_incident": "Bila tetap gagal, sebutkan nomor ini kepada petugas:",
        "fault_again": "Coba lagi",
        "fault_account": "Ke akun saya",
        "fault_verify": "Periksa dokumen",
    },
    "en": {
        "site_claim": "Documents and accounts",
        "footer": "No officer will ever ask you for your password or a code.",
        "fault_404_heading": "There is no such page",
        "fault_404": "The address may be mistyped, or the page has moved. Begin at the start.",
        "fault_405_heading": "This page cannot be opened directly",
        "fault_405": "Begin at the start and follow the buttons of each page.",
        "fault_408": "Your connection broke off or is too slow. Try again.",
        "fault_413": "Choose a smaller file and try again.",
        "fault_429": "Wait a moment, then try again.",
        "fault_request": "We cannot work on this request. Begin at the start.",
        "fault_ours": "It is not your fault. Try again in a few minutes.",
        "fault_incident": "If it keeps failing, give this number to the help desk:",
        "fault_again": "Try again",
        "fault_account": "To my account",
        "fault_verify": "Verify a document",
    },
}


def wants_page(scope: Scope) -> bool:
    """Whether a person reads the answer: the address is no program's, and HTML is named in ``Accept`` with at
    least the weight of JSON (RFC 9110, 12.5.1). ``*/*`` alone is a program.
    """
    if _MACHINES.fullmatch(scope["path"]):
        return False
    weights = {"html": 0.0, "json": 0.0}
    for entry in _header(scope, b"accept")[:1000].split(","):
        media, _, parameters = entry.partition(";")
        kind = media.strip().lower()
        name = "html" if kind in _HTML else "json" if kind in _JSON else None
        if name:
            weights[name] = max(weights[name], _weight(parameters))
    return 0 < weights["html"] >= weights["json"]


def _weight(parameters: str) -> float:
    found = re.search(r"(?:^|;)\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", parameters.lower())
    return float(found[1]) if found else 1.0


class FaultPages:
    """``has_accounts``: people log in here, so that the way on may lead to their account."""

    def __init__(self, *, public_url: str, has_accounts: bool) -> None:
        self._pages = Pages(
            web.layout_loader(), package="identity.web", words=_WORDS, asset_version=web.asset_version()
        )
        self._secure = public_url.startswith("https://")
        self._has_accounts = has_accounts

    def show(
        self,
        scope: Scope,
        problem: Problem,
        *,
        status: int,
        incident: str | None,
        headers: Mapping[str, str],
    ) -> Response:
        """The page in the language that the person chose before, or else prefers."""
        language = self._language(scope)
        heading = problem.judul if language == "id" else problem.title
        if problem in {NOT_FOUND, METHOD}:
            heading = self._pages.says(language, f"fault_{problem.status}_heading")
        here = local_path(scope["path"]) or "/"
        page = self._pages.render(
            "fault.html",
            language,
            status=status,
            form_target=None,
            title=heading,
            text=self._pages.says(language, _text_of(status)),
            tone="cannot_say" if status >= 500 else "unreadable",
            icon="pause" if status >= 500 else "question",
            incident=incident,
            again=here if status in {408, 429} or status >= 500 else None,
            has_accounts=self._has_accounts,
            home_url="/account" if self._has_accounts else f"/verify?lang={language}",
            switch_url=f"{here}?lang={'en' if language == 'id' else 'id'}",
        )
        page.headers.update(headers)
        return page

    def _language(self, scope: Scope) -> Language:
        asked = re.search(rb"(?:^|&)lang=(id|en)(?:&|$)", scope.get("query_string", b""))
        jar = Jar(self._secure, cookie_parser(_header(scope, b"cookie")))
        return choose_language(
            asked=asked[1].decode() if asked else None,
            kept=jar.get(Cookie.LANGUAGE),
            ui_locales=None,
            accept_language=_header(scope, b"accept-language"),
        )


def _text_of(status: int) -> str:
    if status in {404, 405, 408, 413, 429}:
        return f"fault_{status}"
    return "fault_ours" if status >= 500 else "fault_request"


def _header(scope: Scope, name: bytes) -> str:
    """The first of that name; empty where there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
