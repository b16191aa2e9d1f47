"""The second answer, wherever it is asked for: at login, step-up or recovery; and links that are over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from identity.errors import IdentityError
from identity.factors.errors import PasswordsBusy
from identity.factors.model import FactorKind
from identity.login.errors import AccountSuspended, AnswerRefused, LoginDelayed, LoginRefused
from identity.login.model import Answer
from identity.web.messages import show_refusal
from identity.web.passkeys import answer_of
from identity.web.shell import Form, Response, Visit

NOT_ANSWERED: Final = (AnswerRefused, LoginRefused, LoginDelayed, AccountSuspended, PasswordsBusy)
"""What a second answer can be refused for; :meth:`Question.refuse` puts it on the page."""


@dataclass(frozen=True, slots=True)
class Question:
    """A page that asks for one of ``offered``, the best one first. ``action`` takes the answer.

    ``title``, ``lead`` and ``submit`` are keys of the words; ``lost`` offers the way out for those who have
    none of them.
    """

    visit: Visit
    offered: Sequence[FactorKind]
    title: str
    action: str
    submit: str
    lead: str | None = None
    lost: bool = False

    def show(self) -> Response:
        """Asks for what the person chose, or else for the best."""
        asked = self.visit.query("with")
        kind = next((kind for kind in self.offered if kind == asked), None)
        return self._page(kind or next(iter(self.offered), FactorKind.TOTP))

    def missing(self, kind: FactorKind) -> Response:
        """Nothing was typed."""
        return self._page(kind, errors={"code": "code_missing"})

    def refuse(self, error: IdentityError, kind: FactorKind) -> Response:
        """Beside the field that was typed into; above the page for a passkey, which has none."""
        if isinstance(error, AnswerRefused | LoginRefused):
            match kind:
                case FactorKind.PASSKEY:
                    return self._page(kind, errors={"": "passkey_refused"})
                case FactorKind.RECOVERY_CODE:
                    return self._page(kind, errors={"code": "recovery_code_refused"})
                case _:
                    return self._page(kind, errors={"code": "answer_refused"})
        return show_refusal(self.visit, error, "answer.html", **self._values(kind))

    def _page(self, kind: FactorKind, errors: dict[str, str] | None = None) -> Response:
        return self.visit.show("answer.html", errors=errors, **self._values(kind))

    def _values(self, kind: FactorKind) -> dict[str, Any]:
        return {
            "title": self.title,
            "lead": self.visit.says(self.lead) if self.lead else None,
            "action": self.action,
            "submit": self.visit.says(self.submit),
            "lost": self.lost,
            "kind": kind.value,
            "others": [other.value for other in self.offered if other is not kind],
        }


def answer_in(form: Form) -> Answer:
    """The form's answer; of an unknown kind it is digits, which will be wrong."""
    match form.text("kind"):
        case FactorKind.PASSKEY:
            return answer_of(form)
        case FactorKind.RECOVERY_CODE:
            return Answer(FactorKind.RECOVERY_CODE, form.text("code", most=64))
        case _:
            return Answer(FactorKind.TOTP, form.code("code"))


def show_link_gone(visit: Visit, *, way: str, way_text: str) -> Response:
    """A link from a mail that was used, or is too old; ``way`` is where a new one is to be had."""
    return visit.show(
        "words.html",
        title="link_gone_heading",
        status=410,
        tone="unreadable",
        icon="pause",
        text=visit.says("link_gone"),
        way=visit.link(way),
        way_text=visit.says(way_text),
    )
