"""What was issued, as lines for people: the page and the command line show the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signing.ids import grouped
from signing.model import Release
from signing.receipt import Receipt
from signing.types import DOCUMENT_TYPES, DocumentType, document_type_by_number
from verify.verdict import Verdict
from verify.words import STATE_REASONS, TEXTS, Language, shown_date

_TYPES: Final[dict[str, DocumentType]] = {entry.code: entry for entry in DOCUMENT_TYPES}


@dataclass(frozen=True, slots=True)
class Row:
    """One printed line: what it is, what it says, and how it is set."""

    label: str
    value: str
    note: str = ""
    strong: bool = False
    mono: bool = False
    as_printed: bool = False  # in the words of the document, whatever language the page has


def printed_claims(record: Release) -> dict[str, str]:
    """What a genuine receipt of this record says, for the page's script to compare; dates are ISO 8601."""
    kind = _TYPES.get(record.type)
    return {
        "id": record.id,
        "issuer": record.issuer,
        "type": str(kind.number) if kind else "",
        "number": record.number,
        "holder": record.holder or "",
        "issued": record.issued_on.isoformat(),
        "until": record.valid_until.isoformat() if record.valid_until else "",
    }


def shown_facts(verdict: Verdict, language: Language) -> list[Row]:
    """The facts in the order in which a document prints them, from its heading down to its stamp.

    Whoever compares line by line notices a code that was copied onto other paper. Empty without facts.
    """
    facts: Release | Receipt | None = verdict.record or verdict.receipt
    if facts is None:
        return []
    texts = TEXTS[language]
    if isinstance(facts, Release):
        kind = _TYPES.get(facts.type)
        document_id, title, signatory = facts.id, facts.title, facts.signatory
    else:
        kind = document_type_by_number(facts.type_number)
        document_id, title, signatory = facts.document_id, "", ""
    rows = []
    if kind is not None:
        name = kind.name_id if language == "id" else kind.name_en
        rows.append(Row(texts["type"], name, strong=True))
    rows.append(Row(texts["number"], facts.number, strong=True))
    if title:
        rows.append(Row(texts["title"], title, as_printed=True))
    if facts.holder:
        note = texts["holder_masked"] if "*" in facts.holder or "•" in facts.holder else ""
        rows.append(Row(texts["holder"], facts.holder, note, strong=True))
    rows.append(Row(texts["issuer"], facts.issuer, as_printed=True))
    if signatory:
        rows.append(Row(texts["signatory"], signatory, as_printed=True))
    rows.append(Row(texts["issued_on"], shown_date(facts.issued_on, language)))
    until = shown_date(facts.valid_until, language) if facts.valid_until else texts["valid_forever"]
    rows.append(Row(texts["valid_until"], until))
    rows.append(Row(texts["document_id"], grouped(document_id), mono=True))
    if verdict.record is not None and verdict.record.state_reason:
        reason = verdict.record.state_reason
        rows.append(Row(texts["reason_given"], STATE_REASONS[language].get(reason, reason)))
    return rows
