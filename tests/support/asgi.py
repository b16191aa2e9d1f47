"""An application in this process, spoken to through ASGI: for what a socket would add nothing to."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class InProcess:
    """``get``, ``post`` and ``request`` as of ``httpx.Client``. The application's lifespan does not run."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    def request(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._application)
            async with httpx.AsyncClient(transport=transport, base_url="http://absah.test") as client:
                return await client.request(method, url, **arguments)

        return asyncio.run(ask())

    def get(self, url: str, **arguments: Any) -> httpx.Response:
        return self.request("GET", url, **arguments)

    def post(self, url: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", url, **arguments)
