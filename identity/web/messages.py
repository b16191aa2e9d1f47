"""Errors of the services in the words of the pages. Only what a person can do something about stands here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from starlette.responses import Response

from identity.errors import IdentityError
from identity.factors import errors as factors
from identity.login import errors as login
from identity.operators import errors as operators
from identity.people import errors as people
from identity.web.shell import Visit
from identity.web.words import shown_duration

KEYS: Final[Mapping[type[IdentityError], str]] = {
    factors.PasswordTooShort: "password_short",
    factors.PasswordTooLong: "password_long",
    factors.PasswordCharacterRefused: "password_characters",
    factors.PasswordCommon: "password_common",
    factors.PasswordBreached: "password_breached",
    factors.PasswordPersonal: "password_personal",
    factors.PasswordsBusy: "login_busy",
    factors.TotpCodeWrong: "totp_wrong",
    factors.TotpSetupGone: "totp_setup_gone",
    factors.PasskeyExists: "passkey_exists",
    factors.PasskeysTooMany: "passkeys_many",
    factors.PasskeyRefused: "passkey_refused",
    login.LoginRefused: "login_refused",
    login.AnswerRefused: "answer_refused",
    login.LoginDelayed: "login_delayed",
    login.AccountSuspended: "account_suspended",
    login.LinkGone: "link_gone",
    people.CodeInvalid: "code_refused",
    operators.SearchesDelayed: "search_delayed",
}
"""The words for an error's class, or for the nearest class above it."""

_WAITING: Final = (login.LoginDelayed, factors.PasswordsBusy, operators.SearchesDelayed)


def in_words(visit: Visit, error: IdentityError) -> str:
    """What went wrong and what to do, in the visit's language. Raises the error if there are no words."""
    for kind in type(error).__mro__:
        if key := KEYS.get(kind):
            values: dict[str, object] = {
                name: getattr(error, name) for name in ("least", "most") if hasattr(error, name)
            }
            if isinstance(error, _WAITING):
                wait = timedelta(seconds=error.retry_after)
                values["wait"] = shown_duration(wait, visit.language)
            return visit.says(key, **values)
    raise error


def show_refusal(
    visit: Visit, error: IdentityError, template: str, *, field: str = "", title: str, **values: Any
) -> Response:
    """The page again, with the error beside ``field``, or above all of them when it belongs to none.

    429 and 503 with ``Retry-After`` (RFC 9110, 10.2.3) for those who have to wait, else 422.
    """
    status = 503 if isinstance(error, factors.PasswordsBusy) else 429 if isinstance(error, _WAITING) else 422
    response = visit.show(
        template, title=title, status=status, errors={field: in_words(visit, error)}, **values
    )
    if isinstance(error, _WAITING):
        response.headers["Retry-After"] = str(error.retry_after)
    return response
