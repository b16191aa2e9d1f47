"""Posts logout tokens to portals: the provider's only way out to the network."""

from __future__ import annotations

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
        self._client = httpx.Client(
            timeout=policy.logout_timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "absah"},
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=0),
        )

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
        self._client.close()
