"""What tests need from the machine: system tools, and the corpus that lives beside the project.

A missing tool skips the test and names the Debian package that brings it. Under ``ABSAH_REQUIRE=all``
(set by ``.ci/run``) every skip is a failure, so that a green run has judged everything. The corpus is
the one exception: it is not part of the project and a clone without it is a whole project.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

CORPUS_MISSING: Final = "the corpus is not beside the project (../shared/corpus)"

# The Debian package that brings each tool. A tool that is not listed may not be asked for: the reason
# of a skip has to tell the reader what to install.
PACKAGES: Final = {
    "caddy": "caddy",
    "certtool": "gnutls-bin",
    "chromium": "chromium",
    "chronyd": "chrony",
    "curl": "curl",
    "gnutls-cli": "gnutls-bin",
    "initdb": "postgresql",
    "ocsptool": "gnutls-bin",
    "node": "nodejs",
    "openssl": "openssl",
    "p11-kit": "p11-kit",
    "pdffonts": "poppler-utils",
    "pdfsig": "poppler-utils",
    "pdftoppm": "poppler-utils",
    "pdftotext": "poppler-utils",
    "pkcs11-tool": "opensc",
    "postgres": "postgresql",
    "promtool": "prometheus",
    "psql": "postgresql",
    "qpdf": "qpdf",
    "softhsm2-util": "softhsm2",
    "wrk": "wrk",
    "zbarimg": "zbar-tools",
}


def requires(*tools: str) -> pytest.MarkDecorator:
    """Mark a test, class or module (``pytestmark = requires("pdfsig")``) that runs these system tools."""
    for tool in tools:
        _package(tool)
    return pytest.mark.requires_tool(*tools)


def tool_path(tool: str) -> str:
    """The tool's path, for use inside a fixture or a test; skips where it is missing."""
    found = find_tool(tool)
    if found is None:
        pytest.skip(f"{tool} is missing: apt-get install {_package(tool)}")
    return found


def find_tool(tool: str) -> str | None:
    """The tool's path or None. PostgreSQL's server tools are looked for where Debian keeps them, too."""
    found = shutil.which(tool)
    if found is None and _package(tool) == "postgresql":
        versions = Path("/usr/lib/postgresql").glob(f"*/bin/{tool}")
        newest = max(versions, key=lambda path: float(path.parts[-3]), default=None)
        found = None if newest is None else str(newest)
    return found


def corpus(part: str) -> Path:
    """The folder ``attacks``, ``signed`` or ``unsigned`` of the corpus; skips where there is none."""
    folder = ROOT.parent / "shared" / "corpus" / part
    if not folder.is_dir():
        pytest.skip(CORPUS_MISSING)
    return folder


def corpus_files(part: str) -> list[Path]:
    """The PDFs of a part, sorted; empty where the corpus is missing; made to parametrise with."""
    return sorted((ROOT.parent / "shared" / "corpus" / part).glob("*.pdf"))


def skip_is_failure(reason: str) -> bool:
    """Whether a skip with this reason fails the run."""
    return os.environ.get("ABSAH_REQUIRE") == "all" and not reason.endswith(CORPUS_MISSING)


def _package(tool: str) -> str:
    try:
        return PACKAGES[tool]
    except KeyError:
        raise LookupError(f"name the Debian package of {tool!r} in tests/support/needs.py first") from None
