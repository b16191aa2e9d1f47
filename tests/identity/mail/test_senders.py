"""Who sends what: every mail has a sender, and every sender names a mail that there is."""

from __future__ import annotations

from identity.mail.model import LETTERS
from identity.mail.service import TRIAL
from tests.support.needs import ROOT


def test_every_mail_is_sent_by_somebody() -> None:
    """Words that nobody sends are words that nobody keeps true."""
    senders = "\n".join(
        file.read_text()
        for folder in (ROOT / "identity", ROOT / "app")
        for file in folder.rglob("*.py")
        if "mail" not in file.relative_to(folder).parts
    )
    unsent = [
        template
        for template in LETTERS
        # An audit entry "factor.added" and its mail "factor_added" are named once.
        if f'"{template}"' not in senders and f'"{".".join(template.rsplit("_", 1))}"' not in senders
    ]
    assert unsent == [TRIAL], "`absah mail test` sends that one"
