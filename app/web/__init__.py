"""The look that all pages share: one stylesheet, one layout, fonts and the mark. Served at ``/static``."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"


def layout_loader() -> FileSystemLoader:
    """Finds ``base.html`` and ``icons.html`` for the pages of every slice."""
    return FileSystemLoader(_HERE / "templates")


@cache
def asset_version() -> str:
    """Changes whenever a static file does; pages put it into the addresses so that caches may keep them."""
    digest = hashlib.sha256()
    for path in sorted(_STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(_STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:10]


class _Assets(StaticFiles):
    """Addresses carry a version, so what was fetched once may be kept."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response


def static_files() -> StaticFiles:
    """The application to mount at ``/static``."""
    return _Assets(directory=_STATIC)
