"""The bucket that documents lie in: where it is, who we are to it, and how long we wait for it."""

from __future__ import annotations

from collections.abc import Callable
from configparser import ConfigParser
from configparser import Error as NotIni
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from obstore.store import S3Store

from app.errors import SettingsInvalid
from app.settings import StorageSettings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_RETRIES: Final[RetryConfig] = {
    # A store that is gone is reported after two seconds; obstore's own default hides it for three minutes.
    "max_retries": 4,
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
    "retry_timeout": timedelta(seconds=15),
}
_CONNECT: Final = timedelta(seconds=5)
_REQUEST: Final = timedelta(seconds=30)  # one part of a large object, not the whole of it
_HELD: Final = timedelta(seconds=10)
_RENEWED_BEFORE_EXPIRY: Final = timedelta(minutes=5)  # obstore asks again this long before ``expires_at``


def open_bucket(url: str, settings: StorageSettings) -> Any:
    """``s3://BUCKET/PREFIX`` as obstore's store; sends nothing yet.

    Addresses are path-style, because every S3 server has those; deletions are plain ``DELETE``, because not
    every one has ``DeleteObjects``. Raises :class:`app.errors.SettingsInvalid`.
    """
    parts = urlsplit(url)
    if parts.username is not None or parts.query or parts.fragment or not parts.netloc:
        # Not repeated: what stands before an @ is a secret.
        raise SettingsInvalid(
            "ABSAH_STORAGE_URL must be s3://BUCKET/PREFIX and nothing more. "
            "Credentials belong in ABSAH_STORAGE_CREDENTIALS_FILE, a server in ABSAH_STORAGE_ENDPOINT."
        )
    config: dict[str, Any] = {"disable_bulk_delete": True, "virtual_hosted_style_request": False}
    client: ClientConfig = {"connect_timeout": _CONNECT, "timeout": _REQUEST}
    if settings.endpoint is not None:
        # The S3-specific key: the general one gives way to an AWS_ENDPOINT_URL_S3 in the environment.
        config["aws_endpoint_url_s3"] = settings.endpoint
        client["allow_http"] = settings.endpoint.startswith("http://")
    if settings.region is not None:
        config["region"] = settings.region
    if settings.ca_file is not None:
        client["root_certificate"] = _read("ABSAH_STORAGE_CA_FILE", settings.ca_file).encode()
    if settings.credentials_file is not None:
        config["credential_provider"] = _from_file(settings.credentials_file)
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        client_options=client,
        retry_config=_RETRIES,
        **config,
    )


def _from_file(path: Path) -> Callable[[], dict[str, Any]]:
    """Read now, so that a bad file stops the start, and again every few seconds, so that keys can rotate."""
    _credentials(path)
    return lambda: _credentials(path) | {"expires_at": datetime.now(UTC) + _RENEWED_BEFORE_EXPIRY + _HELD}


def _credentials(path: Path) -> dict[str, Any]:
    """Section ``[default]`` of a shared credentials file, as every S3 client reads it."""
    file = ConfigParser(interpolation=None)
    try:
        file.read_string(_read("ABSAH_STORAGE_CREDENTIALS_FILE", path))
        section = file["default"]
        return {
            "access_key_id": section["aws_access_key_id"],
            "secret_access_key": section["aws_secret_access_key"],
            "token": section.get("aws_session_token"),
        }
    except (NotIni, KeyError):
        # The parser's own words quote lines of the file.
        raise SettingsInvalid(
            "ABSAH_STORAGE_CREDENTIALS_FILE is not a credentials file: it needs a section [default] with "
            "aws_access_key_id and aws_secret_access_key."
        ) from None


def _read(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = getattr(cause, "strerror", None) or "not text"
        raise SettingsInvalid(f"{variable} cannot be read ({reason}): check path and owner.") from None
