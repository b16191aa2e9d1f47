"""What a page refuses before any service is asked.

WebError (an :class:`identity.errors.IdentityError`)
├── LoginNeeded         nobody is logged in here; leads to the login page and back
├── FormRefused         the form did not come from a page of ours, or from one that is too old
├── FormUnreadable      not a form, too long, or not UTF-8
└── PageUnknown         no such page, or none that this person may know of
"""

from __future__ import annotations

from identity.errors import IdentityError


class WebError(IdentityError):
    """Root of what the pages refuse."""


class LoginNeeded(WebError):
    """There is no session, or it has ended."""

    def __init__(self) -> None:
        super().__init__("Nobody is logged in here. Log in first.")


class FormRefused(WebError):
    """Another site sent this form, or the page that it stood on belongs to an earlier session."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Open the page again and fill in the form there.")


class FormUnreadable(WebError):
    """The body is not what a browser sends for a form of ours."""


class PageUnknown(WebError):
    """There is nothing here for this person."""

    def __init__(self) -> None:
        super().__init__("There is no such page. Check the address.")
