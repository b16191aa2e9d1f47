"""The verdict as a page for people. Values in, HTML out; the layout comes from the composition root."""

from __future__ import annotations

from typing import Any, Final, Literal

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from signing.ids import grouped, parse_id
from verify.facts import printed_claims, shown_facts
from verify.verdict import Outcome, Verdict
from verify.words import (
    OUTCOMES,
    REASONS,
    TEXTS,
    Language,
    said,
    shown_moment,
)

PAGE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
        "manifest-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every HTML answer: no inline code, no foreign origin, no frame, nothing kept, nothing told to others."""

_ICONS: Final[dict[Outcome, str]] = {
    Outcome.VALID: "check",
    Outcome.SUPERSEDED: "swap",
    Outcome.REVOKED: "stop",
    Outcome.EXPIRED: "clock",
    Outcome.FILE_DIFFERS: "cross",
    Outcome.UNKNOWN_ISSUER: "question",
    Outcome.NOT_SIGNED: "blank",
    Outcome.UNREADABLE: "unreadable",
    Outcome.CANNOT_SAY: "pause",
    Outcome.SAMPLE: "sample",
}


class Pages:
    """``official_url`` is the address that people are told to look for; ``layout`` holds ``base.html``."""

    def __init__(
        self, layout: BaseLoader, *, official_url: str, max_upload_bytes: int, asset_version: str = "1"
    ) -> None:
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader("verify"), layout]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._official_url = official_url.rstrip("/")
        self._official_host = self._official_url.partition("://")[2]
        self._megabytes = max_upload_bytes // 1_000_000
        self._asset_version = asset_version

    def verdict(self, verdict: Verdict, language: Language, *, path: str) -> HTMLResponse:
        """One outcome, what was issued, what to do, and the technical part folded away."""
        words = said(verdict.outcome, verdict.reasons, language)
        status = 503 if verdict.outcome is Outcome.CANNOT_SAY and verdict.record is None else 200
        return self._page(
            "verdict.html",
            language,
            path,
            status,
            title=words.headline,
            verdict=verdict,
            headline=words.headline,
            meaning=words.meaning,
            icon=_ICONS[verdict.outcome],
            rows=shown_facts(verdict, language),
            claims=printed_claims(verdict.record) if verdict.record else None,
            steps=words.steps,
            reasons=[REASONS[language][reason] for reason in verdict.reasons],
            outcome_names=OUTCOMES[language],
            reason_words=REASONS[language],
        )

    def unknown(self, shown: str, language: Language, *, path: str) -> HTMLResponse:
        """Nobody issued this id."""
        document_id = parse_id(shown)
        return self._page(
            "unknown.html",
            language,
            path,
            404,
            title=TEXTS[language]["unknown_heading"],
            shown=grouped(document_id) if document_id else shown[:40],
        )

    def upload(self, language: Language) -> HTMLResponse:
        """The page to send a file, a photo, a link or an id."""
        return self._page("upload.html", language, "/verify", 200, title=TEXTS[language]["verify_heading"])

    def problem(
        self, name: Literal["too_large", "incomplete", "busy"], status: int, language: Language, *, path: str
    ) -> HTMLResponse:
        """The request itself could not be served."""
        texts = TEXTS[language]
        return self._page(
            "problem.html",
            language,
            path,
            status,
            title=texts[f"{name}_heading"],
            text=texts[f"{name}_text"].format(limit=self._megabytes),
        )

    def _page(
        self, template: str, language: Language, path: str, status: int, **context: Any
    ) -> HTMLResponse:
        texts = TEXTS[language]
        other: Language = "en" if language == "id" else "id"
        html = self._environment.get_template(template).render(
            t=texts,
            language=language,
            other_language=other,
            switch_url=f"{path}?lang={other}",
            form_url=f"/verify?lang={language}",
            official_host=self._official_host,
            megabytes=self._megabytes,
            version=self._asset_version,
            moment=lambda value: shown_moment(value, language),
            grouped=grouped,
            **context,
        )
        return HTMLResponse(html, status, headers={**PAGE_HEADERS, "Content-Language": language})
