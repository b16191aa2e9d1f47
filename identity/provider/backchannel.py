"""Posts logout tokens to portals: the provider's only way out to the network."""

from __future__ import annotations

from threading import Lock

import httpx
import structlog

from identity.provider.model import ProviderPolicy

log = structlog.get_logger(__name__)


class BackChannel:
    """Implements :data:`identity.provider.logout.Send`. Safe to share between threads.

    It goes to registered addresses only, follows no redirect, reads nothing but the status, and takes neither
    proxies nor passwords from the environment. So whoever controls a portal's server can make us send one
    signed token to that server, and nothing to anybody else.
    """

    def __init__(self, policy: ProviderPolicy) -> None:
        self._policy = policy
        self._opened: httpx.Client | None = None
        self._opening = Lock()

    def __call__(self, address: str, token: str) -> bool:
        """Back-Channel Logout 1.0, 2.5 and 2.8: 200, or 204 as some frameworks make of it."""
        try:
            with self._client.stream("POST", address, data={"logout_token": token}) as response:
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as cause:
            log.info("logout_not_delivered", error=type(cause).__name__)
            return False
        if status not in {200, 204}:
            log.info("logout_not_delivered", status=status)
        return status in {200, 204}

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _client(self) -> httpx.Client:
        """Made at the first notice: reading the authorities' certificates is a good part of a start."""
        with self._opening:
            if self._opened is None:
                self._opened = httpx.Client(
                    timeout=self._policy.logout_timeout.total_seconds(),
                    follow_redirects=False,
                    trust_env=False,
                    headers={"User-Agent": "absah"},
                    limits=httpx.Limits(max_connections=20, max_keepalive_connections=0),
                )
            return self._opened
