"""Authorization requests: which are read, and what each wrong one is told, and where."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from identity.agencies.model import Method
from identity.login.model import Acr
from identity.provider.errors import (
    AuthorizationRefused,
    ErrorCode,
    PortalNotRecognised,
    RedirectNotRegistered,
)
from identity.provider.model import (
    AuthorizationRequest,
    IdTokenAlgorithm,
    Portal,
    PortalKind,
    Prompt,
    ResponseMode,
)
from identity.provider.pkce import s256, verifies
from identity.provider.requests import Parameters, client_id_of, read_request, reply_to

CALLBACK = "https://portal.example/callback"
RESOURCE = "https://masuk.absah.example"
PORTAL = Portal(
    id="portal-0000000000000001",
    agency_id="dinas",
    name="Izin",
    kind=PortalKind.WEB,
    authentication=Method.PRIVATE_KEY_JWT,
    redirect_uris=(CALLBACK,),
    post_logout_redirect_uris=(),
    backchannel_logout_uri=None,
    sector="portal.example",
    scopes=frozenset({"openid", "profile", "documents.issue:*"}),
    id_token_algorithm=IdTokenAlgorithm.RS256,
    require_pushed=False,
    created_at=datetime(2026, 6, 1, tzinfo=UTC),
)
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
RIGHT = {
    "client_id": PORTAL.id,
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "openid",
    "state": "s-1",
    "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256",
}


def read(*more: tuple[str, str], **changes: str | None) -> AuthorizationRequest:
    values = {**RIGHT, **changes}
    pairs = [(name, value) for name, value in values.items() if value is not None]
    parameters = Parameters.of([*pairs, *more])
    reply = reply_to(parameters, PORTAL)
    return read_request(
        parameters,
        PORTAL,
        reply,
        resource=RESOURCE,
        subject_of_hint=lambda hint: "siti" if hint == "genuine" else None,
    )


def test_the_challenge_is_that_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    assert s256(VERIFIER) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert verifies(VERIFIER, s256(VERIFIER))
    assert not verifies(s256(VERIFIER), s256(VERIFIER))


def test_everything_that_was_asked_for_is_read() -> None:
    request = read(
        scope="openid profile unknown documents.issue:business_licence",
        nonce="n",
        prompt="login consent",
        max_age="60",
        acr_values="urn:other phr aal2",
        ui_locales="id-ID en <script>",
        login_hint="siti@contoh.example",
        id_token_hint="genuine",
        response_mode="form_post",
        resource=RESOURCE,
        dpop_jkt="k" * 43,
    )
    assert request == AuthorizationRequest(
        portal_id=PORTAL.id,
        redirect_uri=CALLBACK,
        response_mode=ResponseMode.FORM_POST,
        scopes=frozenset({"openid", "profile", "documents.issue:business_licence"}),
        code_challenge=s256(VERIFIER),
        state="s-1",
        nonce="n",
        prompts=frozenset({Prompt.LOGIN, Prompt.CONSENT}),
        max_age=60,
        acr_values=(Acr.PHR, Acr.AAL2),
        ui_locales=("id-ID", "en"),
        login_hint="siti@contoh.example",
        hinted_subject="siti",
        proof_key="k" * 43,
    )


@pytest.mark.parametrize("hint", ["3273011702560001", "siti", "a" * 300 + "@contoh.example", "<b>@x y"])
def test_a_login_hint_that_is_no_mail_address_is_not_kept(hint: str) -> None:
    assert read(login_hint=hint).login_hint is None


def established(parameters: Parameters) -> str:
    assert client_id_of(parameters) == PORTAL.id
    return reply_to(parameters, PORTAL).redirect_uri


# What goes wrong before anything may be believed: a page, and no redirect anywhere.
UNTRUSTED: list[tuple[str, dict[str, str | None], tuple[tuple[str, str], ...], type[Exception]]] = [
    ("no client", {"client_id": None}, (), PortalNotRecognised),
    ("empty client", {"client_id": ""}, (), PortalNotRecognised),
    ("two clients", {}, (("client_id", "other"),), PortalNotRecognised),
    ("no redirect", {"redirect_uri": None}, (), RedirectNotRegistered),
    ("empty redirect", {"redirect_uri": ""}, (), RedirectNotRegistered),
    ("two redirects", {}, (("redirect_uri", "https://evil.example/"),), RedirectNotRegistered),
    ("the same redirect twice", {}, (("redirect_uri", CALLBACK),), RedirectNotRegistered),
    ("slash", {"redirect_uri": CALLBACK + "/"}, (), RedirectNotRegistered),
    ("query", {"redirect_uri": CALLBACK + "?x=1"}, (), RedirectNotRegistered),
    ("port", {"redirect_uri": "https://portal.example:443/callback"}, (), RedirectNotRegistered),
    ("case", {"redirect_uri": "https://portal.example/Callback"}, (), RedirectNotRegistered),
    ("elsewhere", {"redirect_uri": "https://evil.example/callback"}, (), RedirectNotRegistered),
]


@pytest.mark.parametrize(
    ("name", "changes", "more", "expected"),
    UNTRUSTED,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_answered_to_an_address_that_is_not_established(
    name: str,
    changes: dict[str, str | None],
    more: tuple[tuple[str, str], ...],
    expected: type[Exception],
) -> None:
    values = {**RIGHT, **changes}
    parameters = Parameters.of([*((k, v) for k, v in values.items() if v is not None), *more])
    with pytest.raises(expected):
        established(parameters)


# What goes wrong afterwards: told to the portal by this word.
REFUSED: list[tuple[str, dict[str, str | None], ErrorCode]] = [
    ("no challenge", {"code_challenge": None}, ErrorCode.INVALID_REQUEST),
    ("plain challenge", {"code_challenge_method": "plain"}, ErrorCode.INVALID_REQUEST),
    ("method left out, which means plain", {"code_challenge_method": None}, ErrorCode.INVALID_REQUEST),
    ("method in lower case", {"code_challenge_method": "s256"}, ErrorCode.INVALID_REQUEST),
    ("challenge too short", {"code_challenge": "a" * 42}, ErrorCode.INVALID_REQUEST),
    ("challenge too long", {"code_challenge": "a" * 44}, ErrorCode.INVALID_REQUEST),
    ("challenge with padding", {"code_challenge": "a" * 42 + "="}, ErrorCode.INVALID_REQUEST),
    ("no response type", {"response_type": None}, ErrorCode.UNSUPPORTED_RESPONSE_TYPE),
    ("implicit", {"response_type": "token"}, ErrorCode.UNSUPPORTED_RESPONSE_TYPE),
    ("hybrid", {"response_type": "code id_token"}, ErrorCode.UNSUPPORTED_RESPONSE_TYPE),
    ("fragment", {"response_mode": "fragment"}, ErrorCode.INVALID_REQUEST),
    ("no scope", {"scope": None}, ErrorCode.INVALID_SCOPE),
    ("no openid", {"scope": "profile"}, ErrorCode.INVALID_SCOPE),
    ("scope not registered", {"scope": "openid nik"}, ErrorCode.INVALID_SCOPE),
    ("API scope not registered", {"scope": "openid documents.revoke"}, ErrorCode.INVALID_SCOPE),
    ("unknown prompt", {"prompt": "create"}, ErrorCode.INVALID_REQUEST),
    ("none and more", {"prompt": "none login"}, ErrorCode.INVALID_REQUEST),
    ("max_age below zero", {"max_age": "-1"}, ErrorCode.INVALID_REQUEST),
    ("max_age in words", {"max_age": "ten"}, ErrorCode.INVALID_REQUEST),
    ("max_age in other digits", {"max_age": "１０"}, ErrorCode.INVALID_REQUEST),
    ("max_age without end", {"max_age": "9" * 5000}, ErrorCode.INVALID_REQUEST),
    ("only unknown acr", {"acr_values": "loa4"}, ErrorCode.UNMET_AUTHENTICATION_REQUIREMENTS),
    ("hint that is not ours", {"id_token_hint": "forged"}, ErrorCode.INVALID_REQUEST),
    ("request object", {"request": "e30.e30."}, ErrorCode.REQUEST_NOT_SUPPORTED),
    ("registration", {"registration": "{}"}, ErrorCode.REGISTRATION_NOT_SUPPORTED),
    ("other resource", {"resource": "https://other.example"}, ErrorCode.INVALID_TARGET),
    ("state too long", {"state": "s" * 4097}, ErrorCode.INVALID_REQUEST),
    ("state with a line break", {"state": "a\r\nb"}, ErrorCode.INVALID_REQUEST),
    ("nonce too long", {"nonce": "n" * 513}, ErrorCode.INVALID_REQUEST),
    ("nonce not ASCII", {"nonce": "é"}, ErrorCode.INVALID_REQUEST),
    ("proof key of another form", {"dpop_jkt": "k"}, ErrorCode.INVALID_REQUEST),
]


@pytest.mark.parametrize(
    ("name", "changes", "expected"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_wrong_request_is_told_by_its_word(
    name: str, changes: dict[str, str | None], expected: ErrorCode
) -> None:
    with pytest.raises(AuthorizationRefused) as refused:
        read(**changes)
    assert refused.value.code is expected
    # RFC 6749, 4.1.2.1: the characters that a description may have
    assert all(" " <= char <= "~" and char not in '"\\' for char in str(refused.value))


@pytest.mark.parametrize("name", ["response_type", "scope", "state", "nonce", "code_challenge", "prompt"])
def test_a_parameter_that_is_there_twice_is_refused_whichever_it_is(name: str) -> None:
    with pytest.raises(AuthorizationRefused) as refused:
        read((name, "second"), (name, "third"))
    assert refused.value.code is ErrorCode.INVALID_REQUEST


def test_a_state_that_cannot_be_trusted_is_not_sent_back() -> None:
    for state in ("a\r\nb", "s" * 4097):
        assert reply_to(Parameters.of((RIGHT | {"state": state}).items()), PORTAL).state is None
