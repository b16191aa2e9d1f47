"""The words of every mail, one catalogue per language, Indonesian first: plain typed modules, as on pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from identity.mail.words import en, id
from identity.mail.words.wording import Wording
from identity.web.words import Language

WORDINGS: Final[Mapping[Language, Mapping[str, Wording]]] = {"id": id.WORDINGS, "en": en.WORDINGS}
FRAME: Final[Mapping[Language, Mapping[str, str]]] = {"id": id.FRAME, "en": en.FRAME}
"""What stands around the words of every mail."""
