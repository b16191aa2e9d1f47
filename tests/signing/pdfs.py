"""Source PDFs of every awkward kind, made here, and the judges that look at what became of them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from asn1crypto import x509 as asn1_x509
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import EmbeddedPdfSignature, validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext
from reportlab.pdfgen import canvas

from signing import pdf
from signing.model import StampPlace
from signing.ports import SealingIdentity
from signing.stamp import StampText
from tests.signing.pki import NOW, TestTimeStamper, hierarchy

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"

DIGITS = "1" + "7305861492" * 64
LINK = f"https://absah.example/d/7K3M9QXFA2B4C6D8#{DIGITS}"
TEXT = StampText(
    issuer="Dinas Penanaman Modal dan PTSP Kota Bandung",
    signatory="Kepala Dinas Penanaman Modal dan Pelayanan Terpadu Satu Pintu",
    issued_on=date(2026, 11, 22),
    document_id="7K3M9QXFA2B4C6D8",
)
CORNER = StampPlace(page=-1, x=40, y=40)


def letter(
    pages: int = 2, size: tuple[float, float] = (595, 842), lines: int = 30, ground: float = 1.0
) -> bytes:
    """A plain text document, on a grey ``ground`` where it is below 1."""
    out = io.BytesIO()
    drawing = canvas.Canvas(out, pagesize=size, invariant=1)
    for page in range(pages):
        if ground < 1:
            drawing.setFillGray(ground)
            drawing.rect(0, 0, *size, stroke=0, fill=1)
            drawing.setFillGray(0)
        for line in range(lines):
            drawing.drawString(
                72, size[1] - 72 - line * 16, f"Halaman {page + 1}, baris {line + 1}: menerangkan"
            )
        drawing.showPage()
    drawing.save()
    return out.getvalue()


def changed(source: bytes, **save: Any) -> tuple[pikepdf.Pdf, Any]:
    """An opened copy and the function that gives its bytes."""
    document = pikepdf.open(io.BytesIO(source))

    def saved() -> bytes:
        out = io.BytesIO()
        document.save(out, **save)
        return out.getvalue()

    return document, saved


def with_page(source: bytes, **entries: Any) -> bytes:
    """``source`` with entries of its last page set."""
    document, saved = changed(source)
    for key, value in entries.items():
        document.pages[-1].obj[f"/{key}"] = value
    return saved()


def seal(
    source: bytes,
    *,
    place: StampPlace | None = CORNER,
    identity: SealingIdentity | None = None,
    timestamper: TestTimeStamper | None = None,
    text: StampText = TEXT,
    link: str = LINK,
    digits: str = DIGITS,
) -> tuple[pdf.SealedPdf, bytes]:
    """Seal with the test hierarchy; the result has passed the release check."""
    root = hierarchy()
    identity = identity or root.seal()
    target = io.BytesIO()
    with pdf.prepare(io.BytesIO(source)) as prepared:
        sealed = pdf.seal_pdf(
            source=prepared,
            target=target,
            stamp=text,
            link=link,
            receipt_digits=digits,
            place=place,
            identity=identity,
            timestamper=timestamper or root.timestamper(),
            evidence=root.evidence_for(identity),
            at=NOW,
        )
    return sealed, target.getvalue()


def field_signature(content: bytes, name: str | None = None) -> EmbeddedPdfSignature:
    """The signature in the field called ``name``, by default in the last field."""
    reader = PdfFileReader(io.BytesIO(content), strict=False)
    fields = reader.root["/AcroForm"]["/Fields"]
    chosen = [fields[i] for i in range(len(fields)) if name is None or fields[i]["/T"] == name]
    return EmbeddedPdfSignature(reader, chosen[-1], str(chosen[-1]["/T"]))


def judge(signature: EmbeddedPdfSignature, *roots: bytes) -> Any:
    """pyHanko's verdict, trusting the test root (or ``roots``) as things stood at the frozen time."""
    anchors = [asn1_x509.Certificate.load(root) for root in roots or (hierarchy().root.encoded,)]

    def context() -> ValidationContext:
        return ValidationContext(trust_roots=anchors, moment=NOW, allow_fetching=False)

    return validate_pdf_signature(
        signature,
        signer_validation_context=context(),
        ts_validation_context=context(),
        key_usage_settings=KeyUsageConstraints(key_usage={"digital_signature"}),
    )


def assert_valid(content: bytes) -> None:
    """Valid, over the whole file, timestamped, nothing changed afterwards: says pyHanko."""
    status = judge(field_signature(content))
    assert status.bottom_line, status.pretty_print_details()
    assert status.coverage.name == "ENTIRE_FILE"
    assert status.modification_level.name == "NONE"
    assert status.timestamp_validity.trusted


def tool(name: str, package: str) -> str:
    """A system tool, or a skip that says which package brings it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("ABSAH_REQUIRE") == "all":
            pytest.fail(f"{name} is missing: install {package}")
        pytest.skip(f"{name} is missing: install {package}")
    return found


def qpdf_severity(content: bytes, folder: Path) -> int:
    """0 clean, 1 warnings, 2 errors, as ``qpdf --check`` sees it."""
    path = folder / "checked.pdf"
    path.write_bytes(content)
    code = subprocess.run(
        [tool("qpdf", "qpdf"), "--check", str(path)], capture_output=True, timeout=60, check=False
    ).returncode
    return {0: 0, 3: 1}.get(code, 2)


def pdfsig(content: bytes, folder: Path) -> list[str]:
    """What poppler says about each signature, in its order."""
    path = folder / "signed.pdf"
    path.write_bytes(content)
    run = subprocess.run(
        [tool("pdfsig", "poppler-utils"), "-nocert", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return run.stdout.split("Signature #")[1:]


def picture(content: bytes, page: int, folder: Path, dpi: int = 200, grey: bool = False) -> Image.Image:
    """The page as poppler renders it."""
    path = folder / "rendered.pdf"
    path.write_bytes(content)
    options = ["-gray"] if grey else []
    subprocess.run(
        [
            tool("pdftoppm", "poppler-utils"),
            *("-r", str(dpi), "-f", str(page), "-l", str(page), "-cropbox", "-singlefile"),
            *options,
            str(path),
            str(folder / "rendered"),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    with Image.open(folder / ("rendered.pgm" if grey else "rendered.ppm")) as image:
        return image.convert("L" if grey else "RGB")
