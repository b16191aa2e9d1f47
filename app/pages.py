"""Verification over HTTP, as both processes offer it: routes, pages, and the look they share. Key-free."""

from __future__ import annotations

from contextlib import ExitStack

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from app import web
from app.clock import Clock
from app.settings import Settings
from verify.lookups import Lookups
from verify.pages import Pages
from verify.ports import IssuedDocuments
from verify.routes import router
from verify.service import VerificationService


def add_verification(
    application: FastAPI,
    settings: Settings,
    *,
    service: VerificationService,
    released: IssuedDocuments,
    clock: Clock,
    closing: ExitStack,
) -> None:
    """Put the verification routes, their pages and the static files into ``application``."""
    lookups = Lookups(released.by_ids, clock)
    closing.callback(lookups.close)
    pages = Pages(
        web.layout_loader(),
        official_url=settings.public_url,
        max_upload_bytes=settings.verify.max_bytes,
        asset_version=web.asset_version(),
    )
    application.include_router(router(service, lookups, pages, max_upload_bytes=settings.verify.max_bytes))
    application.mount("/static", web.static_files(), name="static")

    @application.get("/", include_in_schema=False)
    async def front_page() -> RedirectResponse:
        return RedirectResponse("/verify", status_code=307)
