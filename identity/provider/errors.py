"""What the OpenID provider can refuse. Leaves are named for the fact; ``code`` is the protocol's word.

IdentityError
├── PortalInvalid            what an administrator asked for breaks a rule of registration
├── PortalUnknown            no portal has this id
├── RequestNotTrusted        who asks, or where the answer should go, is not established: a page, no redirect
│   ├── PortalNotRecognised · RedirectNotRegistered · FlowGone · LogoutNotTrusted
└── AuthorizationRefused     becomes ``error`` in the answer to a redirect address that was validated
OAuthError                   (identity/errors.py) answered in the form of RFC 6749, 5.2
├── GrantInvalid             invalid_grant
├── GrantNotForClient        unauthorized_client
├── RevocationNotSupported   unsupported_token_type
├── PushRefused              what a pushed authorization request (RFC 9126) got wrong
AccessTokenError             (identity/errors.py) answered as RFC 6750, 3.1 says
├── TokenGrantGone           the token is genuine, what it stands on was withdrawn
└── TokenScopeMissing        the token does not reach this far: insufficient_scope, 403
"""

from __future__ import annotations

from enum import StrEnum

from identity.errors import AccessTokenError, IdentityError, OAuthError


class ErrorCode(StrEnum):
    """Error codes of an authorization response, each with the text that defines it."""

    INVALID_REQUEST = "invalid_request"  # RFC 6749, 4.1.2.1, as all without a remark
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    ACCESS_DENIED = "access_denied"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    INVALID_SCOPE = "invalid_scope"
    INVALID_TARGET = "invalid_target"  # RFC 8707, 2
    LOGIN_REQUIRED = "login_required"  # OpenID Connect Core, 3.1.2.6
    CONSENT_REQUIRED = "consent_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"
    UNMET_AUTHENTICATION_REQUIREMENTS = "unmet_authentication_requirements"  # RFC 9470, 5


class PortalInvalid(IdentityError):
    """A registration that would be unsafe or that contradicts itself."""


class PortalUnknown(IdentityError):
    """No portal has this id."""


class RequestNotTrusted(IdentityError):
    """Nothing about this request may be believed, so the answer is a page of ours and never a redirect."""


class PortalNotRecognised(RequestNotTrusted):
    """``client_id`` is missing, is there twice, or names no active portal."""


class RedirectNotRegistered(RequestNotTrusted):
    """``redirect_uri`` is not, character for character, one that the portal registered."""


class FlowGone(RequestNotTrusted):
    """The login was not begun, took too long, or was answered already."""


class LogoutNotTrusted(RequestNotTrusted):
    """A logout request whose hint is not ours or whose return address is not registered."""


class AuthorizationRefused(IdentityError):
    """The portal is known and its address validated: it is told ``code`` and the description."""

    def __init__(self, code: ErrorCode, description: str) -> None:
        super().__init__(description)
        self.code = code


class GrantInvalid(OAuthError):
    """The code or refresh token is unknown, expired, used, revoked, or another client's: never told apart."""

    code = "invalid_grant"


class GrantNotForClient(OAuthError):
    """This client is not registered for this kind of grant."""

    code = "unauthorized_client"


class PushRefused(OAuthError):
    """A pushed request that would be refused at the authorization endpoint too (RFC 9126, 2.3)."""

    def __init__(self, code: ErrorCode, description: str) -> None:
        super().__init__(description)
        self.code = code.value


class RevocationNotSupported(OAuthError):
    """A kind of token that cannot be revoked one by one (RFC 7009, 2.2.1)."""

    code = "unsupported_token_type"


class TokenGrantGone(AccessTokenError):
    """The access token is genuine, but it, its grant or its portal was revoked since."""


class TokenScopeMissing(AccessTokenError):
    """The access token lacks a ``scope``: ``openid`` for UserInfo (OpenID Connect Core, 5.3)."""

    def __init__(self, words: str, *, scope: str = "openid") -> None:
        super().__init__(words)
        self.scope = scope
