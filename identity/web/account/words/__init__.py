"""What the account's pages say."""

from __future__ import annotations

from typing import Final

from identity.web.account.words import en, id
from identity.web.words import Words

WORDS: Final[Words] = {"id": id.TEXTS, "en": en.TEXTS}
