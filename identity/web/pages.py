"""Values in, HTML out: the environment of a section's templates, and the headers of every page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from identity.web.words import (
    LANGUAGES,
    TEXTS,
    Language,
    Words,
    shown_date,
    shown_duration,
    shown_moment,
)

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    # Not no-referrer: with it browsers send "Origin: null" for our own forms (Fetch, 3.1).
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer of a page; HTML has its Content-Security-Policy beside them."""


class Pages:
    """The templates of one package, over those of the shell, over the layout that all pages share."""

    def __init__(self, layout: BaseLoader, *, package: str, words: Words, asset_version: str) -> None:
        own = [] if package == "identity.web" else [PackageLoader(package)]
        self._environment = Environment(
            loader=ChoiceLoader([*own, PackageLoader("identity.web"), layout]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._texts: dict[Language, Mapping[str, str]] = {
            language: {**TEXTS[language], **words[language]} for language in LANGUAGES
        }
        self._asset_version = asset_version

    def says(self, language: Language, key_or_text: str, **values: object) -> str:
        """The words behind a key, filled with ``values``; a finished sentence stays as it is."""
        text = self._texts[language].get(key_or_text)
        return key_or_text if text is None else text.format(**values) if values else text

    def render(
        self,
        template: str,
        language: Language,
        *,
        status: int,
        form_target: str | None,
        **values: Any,
    ) -> HTMLResponse:
        """``form_target`` is a foreign origin that an answer to this page's form may redirect to."""
        html = self._environment.get_template(template).render(
            t=self._texts[language],
            language=language,
            other_language="en" if language == "id" else "id",
            version=self._asset_version,
            shown_moment=lambda moment: shown_moment(moment, language),
            shown_date=lambda day: shown_date(day, language),
            shown_duration=lambda duration: shown_duration(duration, language),
            **values,
        )
        targets = f"'self' {form_target}" if form_target else "'self'"
        return HTMLResponse(
            html,
            status,
            headers={
                **HEADERS,
                "Content-Security-Policy": _POLICY.format(targets=targets),
                "Content-Language": language,
            },
        )
