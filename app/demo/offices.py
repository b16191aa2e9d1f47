"""The agencies of Kabupaten Nusa Permata and Provinsi Tirta Kencana, and their letterheads."""

from __future__ import annotations

from typing import Final

from app.demo import emblems
from app.demo.model import SampleAgency
from app.demo.sheet import Office

LICENSING: Final = SampleAgency(
    slug="dpmptsp-nusa-permata",
    name="Dinas Penanaman Modal dan PTSP Kabupaten Nusa Permata",
    organization_identifier="GO:ID-997100021",
    locality="Permata Raya",
)
CIVIL_REGISTRY: Final = SampleAgency(
    slug="dukcapil-nusa-permata",
    name="Dinas Kependudukan dan Pencatatan Sipil Kabupaten Nusa Permata",
    organization_identifier="GO:ID-997100014",
    locality="Permata Raya",
)
REVENUE: Final = SampleAgency(
    slug="bapenda-nusa-permata",
    name="Badan Pendapatan Daerah Kabupaten Nusa Permata",
    organization_identifier="GO:ID-997100037",
    locality="Permata Raya",
)
SECRETARIAT: Final = SampleAgency(
    slug="setda-nusa-permata",
    name="Sekretariat Daerah Kabupaten Nusa Permata",
    organization_identifier="GO:ID-997100001",
    locality="Permata Raya",
)
TRAINING: Final = SampleAgency(
    slug="bpsdm-tirta-kencana",
    name="Badan Pengembangan SDM Provinsi Tirta Kencana",
    organization_identifier="GO:ID-990000052",
    locality="Kencana",
)

SAMPLE_AGENCIES: Final = (LICENSING, CIVIL_REGISTRY, REVENUE, SECRETARIAT, TRAINING)

_REGENCY_WIDTH: Final = emblems.width_of_regency(1)
_TOWN: Final = "Permata Raya 99711"

LICENSING_OFFICE: Final = Office(
    (
        "PEMERINTAH KABUPATEN NUSA PERMATA",
        "DINAS PENANAMAN MODAL DAN\nPELAYANAN TERPADU SATU PINTU",
    ),
    f"Jalan Pelabuhan Lama Nomor 12, {_TOWN} · dpmptsp.nusapermata.example",
    emblems.regency,
    _REGENCY_WIDTH,
)
CIVIL_REGISTRY_OFFICE: Final = Office(
    (
        "PEMERINTAH KABUPATEN NUSA PERMATA",
        "DINAS KEPENDUDUKAN DAN PENCATATAN SIPIL",
    ),
    f"Jalan Teluk Damai Nomor 4, {_TOWN} · dukcapil.nusapermata.example",
    emblems.regency,
    _REGENCY_WIDTH,
)
REVENUE_OFFICE: Final = Office(
    ("PEMERINTAH KABUPATEN NUSA PERMATA", "BADAN PENDAPATAN DAERAH"),
    f"Jalan Mercusuar Nomor 27, {_TOWN} · bapenda.nusapermata.example",
    emblems.regency,
    _REGENCY_WIDTH,
)
