"""A verdict in the terminal: the same words, lines and order as on the page behind the QR code."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.cli.context import out

if TYPE_CHECKING:
    from verify.verdict import SignatureFinding, Verdict
    from verify.words import Language

EXIT_STATUS: Final = {"valid": 0, "cannot_say": 2}
"""By outcome; every other outcome is 1."""

_COLOURS: Final = {
    "valid": "green",
    "cannot_say": "yellow",
    "superseded": "yellow",
    "expired": "yellow",
    "sample": "cyan",
}
_MARKS: Final = {"valid": "✓", "cannot_say": "?"}
_OFFLINE_HINT: Final = {
    "id": "Dengan --offline, segel dan tanda terima saja diperiksa, tanpa catatan penerbit.",
    "en": "With --offline, the seal and the receipt alone are checked, without the issuer's register.",
}


def print_verdict(verdict: Verdict, language: Language) -> None:
    """Outcome, facts, reasons, and the checks in grey."""
    from verify.facts import shown_facts
    from verify.verdict import Reason, Subject
    from verify.words import OUTCOMES, REASONS, TEXTS, said

    texts, outcome = TEXTS[language], verdict.outcome
    words = said(outcome, verdict.reasons, language)
    _headline(_MARKS.get(outcome, "✗"), words.headline, words.meaning, _COLOURS.get(outcome, "red"))
    _block([(row.label, row.value) for row in shown_facts(verdict, language)], label_style="dim")
    _block([("•", REASONS[language][reason]) for reason in verdict.reasons], gap=1)
    if Reason.RECORDS_UNAVAILABLE in verdict.reasons and verdict.subject is not Subject.RECORD:
        _block([("→", _OFFLINE_HINT[language])], gap=1, style="bold")
    _block(
        [
            (OUTCOMES[language][signature.outcome][0], _signed(signature, language))
            for signature in verdict.signatures
        ]
    )
    _block(
        [
            (texts[f"result_{check.result}"], f"{check.name}: {check.detail}" if check.detail else check.name)
            for check in verdict.checks
        ],
        style="dim",
    )


def print_unknown(shown: str, language: Language) -> None:
    """Nobody issued this id."""
    from verify.words import TEXTS

    texts = TEXTS[language]
    _headline("✗", texts["unknown_heading"], texts["unknown_text"], "red")
    _block([(texts["document_id"], shown)], label_style="dim")


def _headline(mark: str, headline: str, meaning: str, colour: str) -> None:
    out.print(Text(f"{mark} {headline}", style=f"bold {colour}"))
    out.print(Text(meaning))


def _signed(signature: SignatureFinding, language: Language) -> str:
    from verify.words import TEXTS, shown_moment

    who = signature.signer or "–"
    if signature.signed_at is None:
        return who
    proof = TEXTS[language]["time_proven" if signature.time_is_proven else "time_claimed"]
    return f"{who}, {shown_moment(signature.signed_at, language)}, {proof}"


def _block(rows: list[tuple[str, str]], *, gap: int = 2, style: str = "", label_style: str = "") -> None:
    """Labels aligned in one column; long values go on beneath themselves."""
    if not rows:
        return
    table = Table.grid(padding=(0, gap, 0, 0))
    table.add_column(no_wrap=True, style=label_style)
    table.add_column(overflow="fold")
    for label, value in rows:
        table.add_row(Text(label), Text(harmless(value)))
    out.print(Padding(table, (1, 0, 0, 2), expand=False), style=style)


def harmless(text: str) -> str:
    """A stranger's file must not steer the terminal nor turn its lines around: such characters show as �."""
    return "".join("\ufffd" if unicodedata.category(letter) in {"Cc", "Cf"} else letter for letter in text)
