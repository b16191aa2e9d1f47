"""How a person reaches each page, and what the page has to be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.pages.conftest import UNKNOWN_ID, Library
from verify.verdict import Outcome
from verify.words import OUTCOMES, TEXTS, Language


@dataclass(frozen=True)
class Visit:
    """``status`` is the HTTP status, ``headline`` the first words that a person reads."""

    status: int
    headline: Outcome | str

    def words(self, language: Language) -> str:
        if isinstance(self.headline, Outcome):
            return OUTCOMES[language][self.headline][0]
        return TEXTS[language][self.headline]


VISITS: dict[str, Visit] = {
    "valid": Visit(200, Outcome.VALID),
    "superseded": Visit(200, Outcome.SUPERSEDED),
    "revoked": Visit(200, Outcome.REVOKED),
    "expired": Visit(200, Outcome.EXPIRED),
    "sample": Visit(200, Outcome.SAMPLE),
    "cannot_say": Visit(503, Outcome.CANNOT_SAY),
    "unknown": Visit(404, "unknown_heading"),
    "form": Visit(200, "verify_heading"),
    "genuine": Visit(200, Outcome.VALID),
    "file_differs": Visit(200, Outcome.FILE_DIFFERS),
    "not_signed": Visit(200, Outcome.NOT_SIGNED),
    "unreadable": Visit(200, Outcome.UNREADABLE),
    "unknown_issuer": Visit(200, Outcome.UNKNOWN_ISSUER),
    "too_large": Visit(413, "too_large_heading"),
    "incomplete": Visit(422, "incomplete_heading"),
}


def visit(page: Any, library: Library, name: str, language: Language) -> int:
    """Go there as a person would; returns the HTTP status."""
    if name == "cannot_say":
        with register_out_of_reach(library):
            return goto(page, f"{library.url}/d/{library.ids['valid']}?lang={language}")
    if name in library.ids or name == "unknown":
        return goto(page, f"{library.url}/d/{library.ids.get(name, UNKNOWN_ID)}?lang={language}")
    status = goto(page, f"{library.url}/verify?lang={language}")
    if name == "form":
        return status
    if name == "incomplete":
        page.fill("#text", "   ")
        return submit(page, "form:has(#text)")
    page.set_input_files(
        "#file", {"name": "surat.pdf", "mimeType": "application/pdf", "buffer": library.files[name]}
    )
    return submit(page, "form:has(#file)")


def goto(page: Any, url: str) -> int:
    status: int = page.goto(url, wait_until="load").status
    return status


def submit(page: Any, form: str) -> int:
    with page.expect_navigation(wait_until="load") as arrived:
        page.click(f"{form} button")
    status: int = arrived.value.status
    return status


@contextmanager
def register_out_of_reach(library: Library) -> Iterator[None]:
    """The database goes on, but what the pages read is not there: a real error of a real driver."""
    connection = sqlite3.connect(library.house.folder / "absah.db", isolation_level=None)
    try:
        connection.execute("ALTER TABLE documents RENAME TO documents_elsewhere")
        try:
            yield
        finally:
            connection.execute("ALTER TABLE documents_elsewhere RENAME TO documents")
    finally:
        connection.close()
