"""What the incremental update of a seal consists of, object by object, and its layout with the hole in it.

The layout of the signature dictionary's private keys is documented in :mod:`signing.pdf`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pyhanko.pdf_utils import generic

from signing.attestation import compose_page
from signing.errors import SealNotReleased
from signing.fonts import OBJECTS_PER_FONT, Font
from signing.placement import Placement
from signing.qr import QrCode, draw, packed
from signing.revision import Revision
from signing.source import Page, PreparedPdf
from signing.stamp import COLOUR_SPACE, Stamp, StampForm, StampText
from signing.syntax import (
    Entries,
    array_with,
    dictionary,
    entries_of,
    entry,
    stream,
    text_string,
    written,
)

FIELD_NAME: Final = "AbsahSeal"
_PRINT_AND_LOCKED: Final = 132  # annotation flags Print and Locked (ISO 32000-2, 12.5.3)
_PRINT: Final = 4
_BYTE_RANGE_WIDTH: Final = 60
"""Four numbers of up to 14 digits and blanks: the placeholder can never be too short for a large file."""


@dataclass(slots=True)
class Layout:
    """The update's bytes with a hole for the signature value. ``byte_range`` counts in the whole file."""

    data: bytearray
    byte_range: tuple[int, int, int, int]
    hole: tuple[int, int]  # in ``data``, angle brackets included

    def signed_parts(self) -> tuple[memoryview, memoryview]:
        view = memoryview(self.data)
        return view[: self.hole[0]], view[self.hole[1] :]

    def fill(self, cms: bytes) -> None:
        """Write the signature value; what remains of the hole stays zero."""
        start, end = self.hole[0] + 1, self.hole[1] - 1
        value = cms.hex().encode("ascii")
        if len(value) > end - start:
            raise SealNotReleased(
                "space", f"the signature has {len(cms)} bytes, {(end - start) // 2} are there"
            )
        self.data[start : start + len(value)] = value


class SealUpdate:
    """Collects the objects of one seal. Call the ``add_…`` methods once each, then :meth:`lay_out`."""

    def __init__(self, source: PreparedPdf) -> None:
        self._source = source
        self._revision = Revision(source)
        self._root: Entries = entries_of(source.catalog)
        self._fonts: dict[Font, int] = {}
        self._signature_head = b""
        self._signature = self._revision.allocate()
        self._field = self._revision.allocate()
        self._colours = self._revision.add(COLOUR_SPACE)
        self.certifies = source.facts.signatures == 0

    # --- the stamp ----------------------------------------------------------------------------------

    def add_stamp(self, placement: Placement, code: QrCode, link: str) -> None:
        """Put the field with its appearance on an existing page."""
        page = placement.page
        self._put_widget(placement, code)
        annotations = [b"%d 0 R" % self._field]
        if self.certifies:
            annotations.append(b"%d 0 R" % self._link_annotation(placement, link))
        number, generation = page.reference
        holder: Any = generic.Reference(number, generation, self._source.reader).get_object()
        raw, present = _raw(holder, "/Annots"), entry(holder, "/Annots")
        if isinstance(raw, generic.IndirectObject) and isinstance(present, generic.ArrayObject):
            # An array with a number of its own is replaced under that number: others may point to it too.
            self._revision.put(raw.idnum, array_with(present, *annotations), raw.generation)
            return
        entries = entries_of(holder)
        entries["/Annots"] = array_with(present, *annotations)
        self._revision.put(number, dictionary(entries), generation)

    def add_page_for_stamp(self, compose: Callable[[StampForm], Stamp], code: QrCode, link: str) -> Placement:
        """Append a page that carries the stamp, and return where the stamp went."""
        stamp = compose(StampForm.WIDE)
        sheet = compose_page(self._source.pages[-1].shown_size, stamp)
        number = self._revision.allocate()
        page = Page(
            number=len(self._source.pages) + 1,
            reference=(number, 0),
            box=(0.0, 0.0, sheet.width, sheet.height),
            rotate=0,
            user_unit=1.0,
        )
        placement = Placement(stamp, page, *sheet.stamp_at)
        self._put_widget(placement, code)
        link_number = self._link_annotation(placement, link)
        tree = self._source.catalog.raw_get("/Pages")
        operators = "".join(sheet.canvas.operators).encode("ascii")
        content = self._revision.add(stream(b"/Filter/FlateDecode", zlib.compress(operators)))
        self._revision.put(
            number,
            b"<</Type/Page/Parent %b/MediaBox[%b]/CropBox[%b]/Rotate 0/Resources<<%b>>/Contents %d 0 R"
            b"/Annots[%d 0 R %d 0 R]>>"
            % (
                written(tree),
                _numbers(page.box),
                _numbers(page.box),  # both stated: the tree's root may hand its own down
                self._resources(sheet.canvas.fonts),
                content,
                self._field,
                link_number,
            ),
        )
        node = tree.get_object()
        entries = entries_of(node)
        entries["/Kids"] = array_with(entry(node, "/Kids"), b"%d 0 R" % number)
        entries["/Count"] = b"%d" % page.number
        self._revision.put(tree.idnum, dictionary(entries), tree.generation)
        return placement

    def _put_widget(self, placement: Placement, code: QrCode) -> None:
        stamp = placement.stamp
        code_number = self._revision.add(
            stream(
                b"/Type/XObject/Subtype/Form/BBox[0 0 %d %d]/Filter/FlateDecode"
                b"/Resources<</ColorSpace<</C %d 0 R>>>>" % (code.side, code.side, self._colours),
                packed(draw(code)),
            )
        )
        matrix = b"%d %d %d %d 0 0" % placement.matrix
        appearance = self._revision.add(
            stream(
                b"/Type/XObject/Subtype/Form/BBox[0 0 %.3f %.3f]/Matrix[%b]/Filter/FlateDecode"
                b"/Resources<<%b/XObject<</QR %d 0 R>>>>"
                % (
                    stamp.width,
                    stamp.height,
                    matrix,
                    self._resources(stamp.card.fonts),
                    code_number,
                ),
                stamp.packed(),
            )
        )
        self._revision.put(
            self._field,
            b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/TU%b/F %d/Rect[%b]/P %d %d R/AP<</N %d 0 R>>"
            b"/V %d 0 R>>"
            % (
                self._free_field_name().encode("ascii"),
                text_string("Segel elektronik / Electronic seal"),
                _PRINT_AND_LOCKED,
                _numbers(placement.rectangle),
                *placement.page.reference,
                appearance,
                self._signature,
            ),
        )

    def _link_annotation(self, placement: Placement, link: str) -> int:
        return self._revision.add(
            b"<</Type/Annot/Subtype/Link/F %d/Border[0 0 0]/Rect[%b]/Contents%b/A<</S/URI/URI(%b)>>>>"
            % (
                _PRINT,
                _numbers(placement.code_rectangle),
                text_string("Periksa keaslian dokumen / Verify this document"),
                _literal(link),
            )
        )

    def _resources(self, fonts: dict[Font, str]) -> bytes:
        named = b"".join(
            b"/%b %d 0 R" % (name.encode("ascii"), self._font_number(font)) for font, name in fonts.items()
        )
        return b"/ColorSpace<</C %d 0 R>>/Font<<%b>>" % (self._colours, named)

    def _font_number(self, font: Font) -> int:
        if font not in self._fonts:
            first = self._fonts[font] = self._revision.allocate(OBJECTS_PER_FONT)
            for offset, body in enumerate(font.bodies):
                self._revision.put(first + offset, body(first))
        return self._fonts[font]

    # --- the signature ------------------------------------------------------------------------------

    def add_signature(self, text: StampText, receipt_digits: str, at: datetime) -> None:
        """The signature dictionary, the form that lists its field, and what certifies."""
        self._signature_head = (
            b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:%b+00'00')/Name%b/Reason%b"
            b"/Prop_Build<</App<</Name/Absah>>>>%b/ABSH_SourceLength %d/ABSH_Receipt(%b)/ABSH_Document(%b)"
            % (
                at.astimezone(UTC).strftime("%Y%m%d%H%M%S").encode("ascii"),
                text_string(text.issuer),
                text_string("Disegel secara elektronik / Electronically sealed"),
                _CERTIFICATION if self.certifies else b"",
                self._source.size,
                receipt_digits.encode("ascii"),
                _literal(text.document_id),
            )
        )
        self._list_field()
        if self.certifies:
            permissions = entry(self._source.catalog, "/Perms")
            kept = entries_of(permissions) if isinstance(permissions, generic.DictionaryObject) else {}
            # Usage rights are signatures of their own kind that any change breaks; readers then complain.
            kept = {key: value for key, value in kept.items() if key not in ("/UR", "/UR3")}
            self._root["/Perms"] = dictionary(kept | {"/DocMDP": b"%d 0 R" % self._signature})
        if self._source.facts.version < (1, 7):
            self._root["/Version"] = b"/1.7"
        if self._source.facts.version < (2, 0) and "/Extensions" not in self._root:
            self._root["/Extensions"] = b"<</ESIC<</BaseVersion/1.7/ExtensionLevel 2>>>>"

    def _list_field(self) -> None:
        reference = b"%d 0 R" % self._field
        raw, form = _raw(self._source.catalog, "/AcroForm"), entry(self._source.catalog, "/AcroForm")
        if not isinstance(form, generic.DictionaryObject):
            number = self._revision.add(b"<</Fields[%b]/SigFlags 3>>" % reference)
            self._root["/AcroForm"] = b"%d 0 R" % number
            return
        entries = entries_of(form)
        entries["/SigFlags"] = b"3"
        listed, fields = _raw(form, "/Fields"), entry(form, "/Fields")
        if isinstance(listed, generic.IndirectObject) and isinstance(fields, generic.ArrayObject):
            self._revision.put(listed.idnum, array_with(fields, reference), listed.generation)
        else:
            entries["/Fields"] = array_with(fields, reference)
        if isinstance(raw, generic.IndirectObject):
            self._revision.put(raw.idnum, dictionary(entries), raw.generation)
        else:
            self._root["/AcroForm"] = dictionary(entries)

    def _free_field_name(self) -> str:
        """Fully qualified field names are unique (12.7.4.2)."""
        fields = entry(entry(self._source.catalog, "/AcroForm"), "/Fields")
        taken = set()
        if isinstance(fields, generic.ArrayObject):
            for raw in fields:
                field = raw.get_object()
                if isinstance(field, generic.DictionaryObject):
                    taken.add(str(entry(field, "/T")))
        name, number = FIELD_NAME, 1
        while name in taken:
            number += 1
            name = f"{FIELD_NAME}{number}"
        return name

    # --- the evidence -------------------------------------------------------------------------------

    def add_evidence(
        self, certificates: tuple[bytes, ...], ocsp_responses: tuple[bytes, ...], crls: tuple[bytes, ...]
    ) -> None:
        """Add to the document security store, keeping what earlier signatures put there."""
        raw, store = _raw(self._source.catalog, "/DSS"), entry(self._source.catalog, "/DSS")
        earlier = store if isinstance(store, generic.DictionaryObject) else None
        entries = {"/Type": b"/DSS"} if earlier is None else entries_of(earlier)
        for key, values in (("/Certs", certificates), ("/OCSPs", ocsp_responses), ("/CRLs", crls)):
            numbers = [self._revision.add(stream(b"", value)) for value in dict.fromkeys(values)]
            references = [b"%d 0 R" % number for number in numbers]
            if references:
                entries[key] = array_with(entry(earlier, key), *references)
        if isinstance(raw, generic.IndirectObject) and earlier is not None:
            self._revision.put(raw.idnum, dictionary(entries), raw.generation)
        else:
            self._root["/DSS"] = b"%d 0 R" % self._revision.add(dictionary(entries))

    # --- the layout ---------------------------------------------------------------------------------

    def lay_out(self, space: int) -> Layout:
        """The update with room for ``space`` bytes of signature value. May be called again with more."""
        blank = b" " * _BYTE_RANGE_WIDTH
        head = self._signature_head + b"/ByteRange["
        before_hole = head + blank + b"]/Contents"
        self._revision.put(self._signature, b"%b<%b>>>" % (before_hole, b"0" * (2 * space)))
        root = self._source.reader.root_ref
        self._revision.put(root.idnum, dictionary(self._root), root.generation)
        start = self._source.size
        data, bodies = self._revision.lay_out(start, newline_first=not self._ends_in_newline())
        body = bodies[self._signature]
        first = body + len(before_hole)
        after = first + 2 * space + 2
        byte_range = (0, first, after, start + len(data) - after)
        at = body - start + len(head)
        data[at : at + _BYTE_RANGE_WIDTH] = (b"%d %d %d %d" % byte_range).ljust(_BYTE_RANGE_WIDTH)
        return Layout(data, byte_range, (first - start, after - start))

    def _ends_in_newline(self) -> bool:
        self._source.stream.seek(self._source.size - 1)
        return self._source.stream.read(1) in (b"\n", b"\r")


def _raw(holder: generic.DictionaryObject, key: str) -> Any:
    """What stands under ``key``, references not followed; None where nothing does."""
    return holder.raw_get(key) if key in holder else None


_CERTIFICATION: Final = (
    b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/V/1.2/P 1>>>>]"
)


def _numbers(rectangle: tuple[float, float, float, float]) -> bytes:
    return " ".join(f"{edge:.4f}" for edge in rectangle).encode("ascii")


def _literal(text: str) -> bytes:
    return text.encode("ascii").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
