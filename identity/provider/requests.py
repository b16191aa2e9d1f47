"""What a portal asks for, held against the protocol and its registration. Pure.

Two steps that must not be mixed up. :func:`reply_to` establishes who asks and where the answer may go; until
it has succeeded nothing is redirected anywhere. :func:`read_request` judges all the rest, and what it refuses
is told to the portal (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from identity.agencies.model import covered
from identity.login.model import Acr
from identity.provider.errors import (
    AuthorizationRefused,
    ErrorCode,
    PortalNotRecognised,
    RedirectNotRegistered,
)
from identity.provider.model import (
    OPENID,
    SCOPES,
    AuthorizationRequest,
    Portal,
    Prompt,
    ResponseMode,
)
from identity.provider.redirects import matches

PUSHED_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
MOST_MAX_AGE: Final = 10 * 365 * 24 * 3600

_LONGEST: Final = {"state": 4096, "nonce": 512}
_VISIBLE = re.compile(r"[\x20-\x7e]*")  # VSCHAR, RFC 6749, appendix A
_S256 = re.compile(r"[A-Za-z0-9_-]{43}")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}")
_DIGITS = re.compile(r"[0-9]{1,9}")
_UNSUPPORTED: Final = {
    "request": ErrorCode.REQUEST_NOT_SUPPORTED,
    "registration": ErrorCode.REGISTRATION_NOT_SUPPORTED,
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request's parameters. What is empty was not sent (RFC 6749, 3.1)."""

    values: dict[str, str]
    repeated: frozenset[str]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Parameters:
        values: dict[str, str] = {}
        repeated = set()
        for name, value in pairs:
            if name in values:
                repeated.add(name)
            values[name] = value
        return cls({name: value for name, value in values.items() if value}, frozenset(repeated))

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def words(self, name: str) -> list[str]:
        return self.values.get(name, "").split(" ") if name in self.values else []


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where and how to answer: validated."""

    redirect_uri: str
    response_mode: ResponseMode
    state: str | None


def client_id_of(parameters: Parameters) -> str:
    """Raises :class:`identity.provider.errors.PortalNotRecognised`."""
    client_id = parameters.get("client_id")
    if client_id is None or "client_id" in parameters.repeated:
        raise PortalNotRecognised("The request does not name its portal once, by client_id.")
    return client_id


def reply_to(parameters: Parameters, portal: Portal) -> ReplyTo:
    """Raises :class:`identity.provider.errors.RedirectNotRegistered`. A bad ``state`` is not echoed."""
    uri = parameters.get("redirect_uri")
    if uri is None or "redirect_uri" in parameters.repeated:
        raise RedirectNotRegistered("The request does not say once, by redirect_uri, where to answer.")
    if not matches(uri, portal.redirect_uris, portal.kind):
        raise RedirectNotRegistered(
            "The redirect_uri is not one that the portal registered. It must be the same in every character."
        )
    state = parameters.get("state")
    if "state" in parameters.repeated or not _is_text(state, "state"):
        state = None
    form_post = parameters.get("response_mode") == ResponseMode.FORM_POST
    return ReplyTo(uri, ResponseMode.FORM_POST if form_post else ResponseMode.QUERY, state)


def read_request(
    parameters: Parameters,
    portal: Portal,
    reply: ReplyTo,
    *,
    resource: str,
    subject_of_hint: Callable[[str], str | None],
) -> AuthorizationRequest:
    """Every parameter that counts. Raises :class:`identity.provider.errors.AuthorizationRefused`.

    ``resource`` is the only audience that access tokens have here. ``subject_of_hint`` verifies an
    ``id_token_hint``; None means that it is not ours.
    """
    # 1. The form.
    for name, code in _UNSUPPORTED.items():
        if parameters.get(name):
            raise AuthorizationRefused(
                code, f"The parameter {name} is not supported. Push the request instead."
            )
    if parameters.repeated:
        raise _invalid("A parameter is there twice.")
    for name in _LONGEST:
        if not _is_text(parameters.get(name), name):
            raise _invalid(
                f"{name} is longer than {_LONGEST[name]} characters, or they are not printable ASCII."
            )
    if parameters.get("response_type") != "code":
        raise AuthorizationRefused(
            ErrorCode.UNSUPPORTED_RESPONSE_TYPE, "The only response_type here is code."
        )
    if parameters.get("response_mode") not in {None, *ResponseMode}:
        raise _invalid("response_mode is query or form_post.")
    if parameters.get("resource") not in {None, resource}:
        raise AuthorizationRefused(ErrorCode.INVALID_TARGET, f"The only resource here is {resource}.")
    # 2. PKCE, of everyone (RFC 9700, 2.1.1); plain is what counts where the method is left out.
    challenge = parameters.get("code_challenge")
    if challenge is None:
        raise _invalid("code_challenge is missing: PKCE is demanded of every portal (RFC 7636).")
    if parameters.get("code_challenge_method") != "S256" or not _S256.fullmatch(challenge):
        raise _invalid("code_challenge_method must be S256, and the challenge 43 characters of base64url.")
    proof_key = parameters.get("dpop_jkt")
    if proof_key is not None and not _S256.fullmatch(proof_key):
        raise _invalid("dpop_jkt is not a SHA-256 thumbprint in base64url (RFC 9449, 10).")
    # 3. What is asked for, and how the person is to be asked.
    return AuthorizationRequest(
        portal_id=portal.id,
        redirect_uri=reply.redirect_uri,
        response_mode=reply.response_mode,
        state=reply.state,
        nonce=parameters.get("nonce"),
        code_challenge=challenge,
        proof_key=proof_key,
        scopes=_scopes(parameters, portal),
        prompts=_prompts(parameters),
        max_age=_max_age(parameters.get("max_age")),
        acr_values=_acr_values(parameters.words("acr_values")),
        ui_locales=tuple(word for word in parameters.words("ui_locales")[:10] if _LANGUAGE.fullmatch(word)),
        login_hint=_login_hint(parameters.get("login_hint")),
        hinted_subject=_hinted(parameters.get("id_token_hint"), subject_of_hint),
    )


def _scopes(parameters: Parameters, portal: Portal) -> frozenset[str]:
    """Unknown scopes are left out of account (OpenID Connect Core, 3.1.2.1); known ones need registration."""
    asked = frozenset(parameters.words("scope"))
    if OPENID not in asked:
        raise AuthorizationRefused(ErrorCode.INVALID_SCOPE, "scope must contain openid.")
    held = covered(asked, portal.scopes)
    if any(scope in SCOPES or scope.startswith("documents.") for scope in asked - held):
        raise AuthorizationRefused(
            ErrorCode.INVALID_SCOPE, "The portal is not registered for a scope that it asks for."
        )
    return held


def _prompts(parameters: Parameters) -> frozenset[Prompt]:
    try:
        prompts = frozenset(Prompt(word) for word in parameters.words("prompt"))
    except ValueError:
        raise _invalid(f"prompt is one or more of {', '.join(Prompt)}.") from None
    if Prompt.NONE in prompts and len(prompts) > 1:
        raise _invalid("prompt=none excludes every other prompt.")
    return prompts


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not _DIGITS.fullmatch(text):
        raise _invalid("max_age is a whole number of seconds.")
    return min(int(text), MOST_MAX_AGE)


def _acr_values(words: list[str]) -> tuple[Acr, ...]:
    """Those that exist. None of them: the portal would wait for what never comes (RFC 9470, 5)."""
    known = tuple(Acr(word) for word in words if word in set(Acr))
    if words and not known:
        raise AuthorizationRefused(
            ErrorCode.UNMET_AUTHENTICATION_REQUIREMENTS,
            f"None of the acr_values exists here; there are {', '.join(Acr)}.",
        )
    return known


def _login_hint(text: str | None) -> str | None:
    """Mail addresses only: whoever sends a NIK here shall not find it kept, shown or logged."""
    return text if text is not None and _EMAIL.fullmatch(text) else None


def _hinted(hint: str | None, subject_of_hint: Callable[[str], str | None]) -> str | None:
    if hint is None:
        return None
    subject = subject_of_hint(hint)
    if subject is None:
        raise _invalid("The id_token_hint is not an ID token that this portal got from here.")
    return subject


def _is_text(value: str | None, name: str) -> bool:
    return value is None or (len(value) <= _LONGEST[name] and _VISIBLE.fullmatch(value) is not None)


def _invalid(description: str) -> AuthorizationRefused:
    return AuthorizationRefused(ErrorCode.INVALID_REQUEST, description)
