"""A whole service in a scratch folder, for the benchmarks that need one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.provisioning import add_agency, initialise
from app.settings import Settings
from app.wiring import Core

AGENCY = "dpmptsp"
AGENCY_NAME = "Dinas Penanaman Modal dan PTSP Kabupaten Nusa Permata"
SCOPES = ("documents.issue:*", "documents.read", "documents.revoke")


@contextmanager
def house(
    data_dir: Path, *, database_url: str | None = None, **settings_given: object
) -> Iterator[tuple[Core, str, str]]:
    """The core with one agency; yields it with the client's id and secret."""
    settings = Settings.load(data_dir=data_dir, database={"url": database_url}, **settings_given)
    with ExitStack() as closing:
        core = initialise(settings, closing=closing, actor="benchmark")
        added = add_agency(
            core,
            AGENCY,
            name=AGENCY_NAME,
            organization_identifier="VATID-0012345678901000",
            scopes=SCOPES,
            is_sandbox=False,
            actor="benchmark",
        )
        assert added.client is not None
        assert added.secret is not None
        yield core, added.client.id, added.secret
