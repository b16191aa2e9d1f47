"""What the pages say about changes that two people have to agree on."""

from __future__ import annotations

from typing import Final

from identity.web.duty_words import with_shared
from identity.web.words import Words

WORDS: Final[Words] = with_shared(
    {
        "id": {
            "back_agencies": "Kembali ke instansi",
            "back_operators": "Kembali ke pengawasan",
            "back_proposals": "Kembali ke daftar usulan",
            "proposals_heading": "Menunggu persetujuan",
            "proposals_lead": (
                "Sistem yang menerbitkan dokumen sah hanya bertambah wewenangnya bila dua orang setuju."
            ),
            "for_me_heading": "Menunggu Anda",
            "for_me_none": "Tidak ada yang menunggu Anda.",
            "mine_heading": "Usulan Anda, menunggu orang lain",
            "change_is_system": "Sistem baru",
            "change_is_keys": "Kunci baru",
            "change_is_scopes": "Cakupan lebih luas",
            "proposed_by": "Diusulkan {name}, {moment}",
            "waits_until": "Menunggu sampai {moment}",
            "proposal_heading": "Usulan ini",
            "proposal_is_proposed": "menunggu persetujuan",
            "proposal_is_confirmed": "disetujui",
            "proposal_is_withdrawn": "ditarik atau ditolak",
            "proposal_is_lapsed": "kedaluwarsa",
            "agency_label": "Instansi",
            "client_id_label": "client_id",
            "proposed_by_label": "Diusulkan oleh",
            "proposed_at_label": "Diusulkan",
            "expires_at_label": "Menunggu sampai",
            "decided_by_label": "Diputuskan oleh",
            "decided_at_label": "Diputuskan",
            "scopes_heading": "Yang boleh dilakukan",
            "gained_label": "Bertambah",
            "lost_label": "Hilang",
            "scopes_then_label": "Semuanya sesudah itu",
            "binding_label": "Token terikat pada",
            "binding_dpop": "kunci DPoP (RFC 9449)",
            "binding_mtls": "sertifikat TLS (RFC 8705)",
            "keys_heading": "Kunci yang akan berlaku",
            "thumbprint_label": "Sidik kunci (RFC 7638, SHA-256)",
            "lost_keys_heading": "Kunci yang akan berhenti",
            "lost_at_once": "Berhenti begitu usulan ini disetujui.",
            "lost_later": "Berhenti setelah masa peralihan, dihitung sejak usulan ini disetujui.",
            "own_proposal": (
                "Anda yang mengusulkan ini. Administrator lain dari instansi ini atau pengawas "
                "yang harus menyetujuinya."
            ),
            "compare_heading": "Sebelum menyetujui",
            "compare_keys": (
                "Hubungi sendiri orang yang menjalankan sistem ini, lewat nomor yang sudah Anda kenal. "
                "Minta ia membacakan sidik kunci dari mesinnya, lalu cocokkan huruf demi huruf."
            ),
            "compare_scopes": (
                "Tanyakan sendiri kepada orang yang menjalankan sistem ini, lewat nomor yang sudah Anda "
                "kenal, apakah tambahan ini memang diperlukan."
            ),
            "compared_keys": "Saya sudah mencocokkan setiap sidik kunci dengan pengelola sistem.",
            "compared_scopes": "Saya sudah menanyakannya kepada pengelola sistem.",
            "compared_missing": "Lakukan ini dahulu, lalu beri tanda.",
            "withdraw": "Tarik usulan",
            "turn_down": "Tolak",
            "proposal_changed": (
                "Sistem ini berubah sejak Anda membuka halaman. Periksa sekali lagi sebelum menyetujui."
            ),
            "proposer_gone": (
                "Pengusul tidak lagi memegang tugas yang dipegangnya saat mengusulkan. Tolak usulan ini; "
                "administrator dapat mengusulkannya kembali."
            ),
            "keys_impossible": "Kunci ini tidak dapat dipakai lagi: {reason}",
        },
        "en": {
            "back_agencies": "Back to the agency",
            "back_operators": "Back to oversight",
            "back_proposals": "Back to the proposals",
            "proposals_heading": "Waiting for a confirmation",
            "proposals_lead": "A system that issues real documents gains something only if two people agree.",
            "for_me_heading": "Waiting for you",
            "for_me_none": "Nothing is waiting for you.",
            "mine_heading": "Proposed by you, waiting for somebody else",
            "change_is_system": "New system",
            "change_is_keys": "New keys",
            "change_is_scopes": "Wider scopes",
            "proposed_by": "Proposed by {name}, {moment}",
            "waits_until": "Waits until {moment}",
            "proposal_heading": "This proposal",
            "proposal_is_proposed": "waiting for a confirmation",
            "proposal_is_confirmed": "confirmed",
            "proposal_is_withdrawn": "withdrawn or turned down",
            "proposal_is_lapsed": "lapsed",
            "agency_label": "Agency",
            "client_id_label": "client_id",
            "proposed_by_label": "Proposed by",
            "proposed_at_label": "Proposed",
            "expires_at_label": "Waits until",
            "decided_by_label": "Decided by",
            "decided_at_label": "Decided",
            "scopes_heading": "What it may do",
            "gained_label": "Gains",
            "lost_label": "Loses",
            "scopes_then_label": "All of it afterwards",
            "binding_label": "Tokens bound to",
            "binding_dpop": "a DPoP key (RFC 9449)",
            "binding_mtls": "the TLS certificate (RFC 8705)",
            "keys_heading": "Keys that will count",
            "thumbprint_label": "Thumbprint (RFC 7638, SHA-256)",
            "lost_keys_heading": "Keys that will stop",
            "lost_at_once": "They stop the moment this is confirmed.",
            "lost_later": "They stop after the time to change over, counted from the confirmation.",
            "own_proposal": (
                "You proposed this. Another administrator of this agency, or an auditor, has to confirm it."
            ),
            "compare_heading": "Before you confirm",
            "compare_keys": (
                "Call the people who run this system yourself, at a number that you knew before. "
                "Have them read the thumbprints from their machine, and compare every letter."
            ),
            "compare_scopes": (
                "Ask the people who run this system yourself, at a number that you knew before, "
                "whether it really needs this."
            ),
            "compared_keys": "I compared every thumbprint with the people who run the system.",
            "compared_scopes": "I asked the people who run the system.",
            "compared_missing": "Do this first, then tick the box.",
            "withdraw": "Withdraw",
            "turn_down": "Turn down",
            "proposal_changed": "This system changed since you opened the page. Look again, then confirm.",
            "proposer_gone": (
                "Whoever proposed this no longer holds the role that they held then. Turn it down; "
                "an administrator can propose it anew."
            ),
            "keys_impossible": "These keys can no longer be used: {reason}",
        },
    }
)
