"""What ``/custody`` says."""

from __future__ import annotations

from typing import Final

from identity.web.duty_words import with_shared
from identity.web.words import Words

WORDS: Final[Words] = with_shared(
    {
        "id": {
            "back_custody": "Kembali ke daftar permintaan",
            "back_operators": "Kembali ke daftar petugas",
            "custody_heading": "Tindakan atas kunci",
            "custody_lead": "Kunci diganti, dipensiunkan, atau dimusnahkan bila cukup banyak orang setuju.",
            "custody_none_needed": "Di sini tidak seorang pun perlu menyetujui. Hanya untuk percobaan.",
            "for_me_heading": "Menunggu keputusan Anda",
            "for_me_none": "Tidak ada yang menunggu Anda.",
            "open_heading": "Menunggu orang lain, atau sedang dilaksanakan",
            "past_heading": "Sudah selesai",
            "custodians_heading": "Pemegang kunci",
            "custodians_none": "Belum ada pemegang kunci. Pengelola mesin menambahkan yang pertama.",
            "role_ended": "Tugasnya sudah berakhir, jadi suaranya tidak dihitung. Keluarkan dari daftar.",
            "custodians_count": "{count} orang; {needed} harus setuju untuk setiap tindakan.",
            "join": "Minta dicantumkan",
            "join_text": "Anda belum tercantum, atau memakai kunci sandi baru.",
            "asked_by": "Diminta oleh {name}, {moment}",
            "waits_until": "Menunggu sampai {moment}",
            "approvals": "{count} dari {needed} setuju",
            "void": "Batal: diubah di basis data",
            "void_text": (
                "Permintaan ini, atau keputusan atasnya, diubah di basis data. Tidak akan dilaksanakan. "
                "Jangan memutuskan apa pun. Beri tahu pengawas sekarang."
            ),
            "state_waiting": "menunggu",
            "state_ready": "cukup disetujui, akan dilaksanakan",
            "state_started": "sedang dilaksanakan",
            "state_done": "sudah dilaksanakan",
            "state_failed": "gagal dilaksanakan",
            "state_cancelled": "dibatalkan",
            "state_rejected": "ditolak",
            "state_lapsed": "kedaluwarsa",
            "what_heading": "Yang akan terjadi",
            "what_past_heading": "Yang diminta",
            "facts_heading": "Isi permintaan",
            "asked_by_label": "Diminta oleh",
            "asked_at_label": "Diminta",
            "expires_at_label": "Menunggu sampai",
            "approvals_label": "Persetujuan",
            "detail_label": "Hasil",
            "machine_words_label": "Pesan mesin, bahasa Inggris",
            "digest_heading": "Sidik permintaan",
            "digest_text": "Inilah yang Anda tanda tangani. Cocokkan dengan peminta, huruf demi huruf.",
            "decisions_heading": "Keputusan",
            "verdict_approve": "setuju",
            "verdict_reject": "menolak",
            "decided": "{verdict}, {moment}",
            "ask_heading": "Sebelum memutuskan",
            "ask_text": (
                "Hubungi sendiri peminta lewat nomor yang sudah Anda kenal. Tanyakan mengapa ini perlu, "
                "dan minta ia membacakan sidik permintaan."
            ),
            "approve_heading": "Setujui",
            "approve_text": "Kunci sandi Anda menandatangani persetujuan atas sidik ini. Tidak bisa ditarik.",
            "approve_submit": "Setujui dengan kunci sandi",
            "reject_heading": "Tolak",
            "reject_text": "Bila terlalu banyak yang menolak, permintaan berakhir. Tidak bisa ditarik.",
            "reject_submit": "Tolak dengan kunci sandi",
            "needs_script": (
                "Memutuskan di sini memerlukan JavaScript dan peramban yang lebih baru. Dengan berkas kunci: "
                "absah keys approve."
            ),
            "own_request": "Anda yang meminta ini. Orang lain yang harus memutuskan.",
            "decided_already": "Anda sudah memutuskan.",
            "only_looking": "Sebagai pengawas Anda melihat semuanya dan tidak memutuskan apa pun.",
            "not_listed": "Anda belum tercantum dengan kunci sandi, jadi belum bisa memutuskan.",
            "proof_refused": (
                "Kunci sandi yang Anda pakai bukan yang tercantum. Pakai yang tercantum, atau minta diganti."
            ),
            "passkey_refused_here": "Kunci sandi tidak diterima. Coba sekali lagi.",
            "not_open": "Permintaan ini tidak menunggu keputusan lagi.",
            "decided_before": "Anda sudah memutuskan lain, dan keputusan tidak bisa diubah.",
            "me_heading": "Minta dicantumkan",
            "me_lead": "Pemegang kunci yang lain harus menyetujuinya.",
            "me_free": (
                "Daftar pemegang kunci belum lengkap. Sampai lengkap, pengelola mesin yang menambahkan: "
                "absah keys custodian add."
            ),
            "me_name_label": "Nama pendek",
            "me_name_hint": "Huruf kecil, angka, dan tanda hubung, misalnya budi-s. Tercatat selamanya.",
            "me_passkey_label": "Kunci sandi untuk memutuskan",
            "me_reason_label": "Alasan",
            "me_reason_hint": "Dibaca oleh yang menyetujui.",
            "me_submit": "Kirim permintaan",
            "me_passkey_unnamed": "Kunci sandi",
            "me_passkey_missing": "Pilih salah satu kunci sandi.",
            "me_refused": "Tidak bisa: {reason}",
        },
        "en": {
            "back_custody": "Back to the requests",
            "back_operators": "Back to the operators",
            "custody_heading": "Acts on keys",
            "custody_lead": "A key is replaced, retired or destroyed only if enough people agree.",
            "custody_none_needed": "On this installation nobody has to agree. That is for trying things out.",
            "for_me_heading": "Waiting for your decision",
            "for_me_none": "Nothing is waiting for you.",
            "open_heading": "Waiting for others, or under way",
            "past_heading": "Over",
            "custodians_heading": "Custodians",
            "custodians_none": "There are no custodians yet. Whoever runs the machine adds the first ones.",
            "role_ended": "No longer holds the role, so their word does not count. Have them removed.",
            "custodians_count": "{count} in the register; {needed} must agree to every act.",
            "join": "Ask to be listed",
            "join_text": "You are not in the list yet, or use a new passkey.",
            "asked_by": "Asked for by {name}, {moment}",
            "waits_until": "Waits until {moment}",
            "approvals": "{count} of {needed} agreed",
            "void": "Void: altered in the database",
            "void_text": (
                "This request, or a decision on it, was altered in the database. It will not be carried out. "
                "Decide nothing here. Tell an auditor now."
            ),
            "state_waiting": "waiting",
            "state_ready": "has enough approvals, will be carried out",
            "state_started": "being carried out",
            "state_done": "carried out",
            "state_failed": "failed",
            "state_cancelled": "cancelled",
            "state_rejected": "rejected",
            "state_lapsed": "lapsed",
            "what_heading": "What will happen",
            "what_past_heading": "What was asked for",
            "facts_heading": "What the request says",
            "asked_by_label": "Asked for by",
            "asked_at_label": "Asked for",
            "expires_at_label": "Waits until",
            "approvals_label": "Approvals",
            "detail_label": "Outcome",
            "machine_words_label": "What the machine said",
            "digest_heading": "Digest of the request",
            "digest_text": "This is what you sign. Compare it with whoever asked, letter by letter.",
            "decisions_heading": "Decisions",
            "verdict_approve": "approved",
            "verdict_reject": "rejected",
            "decided": "{verdict}, {moment}",
            "ask_heading": "Before you decide",
            "ask_text": (
                "Call whoever asked yourself, at a number that you knew before. Ask why this is needed, and "
                "have them read the digest to you."
            ),
            "approve_heading": "Approve",
            "approve_text": "Your passkey signs an approval of this digest. It cannot be taken back.",
            "approve_submit": "Approve with your passkey",
            "reject_heading": "Reject",
            "reject_text": "If too many reject it, the request ends. It cannot be taken back.",
            "reject_submit": "Reject with your passkey",
            "needs_script": (
                "Deciding here needs JavaScript and a newer browser. With a key file: absah keys approve."
            ),
            "own_request": "You asked for this. Somebody else has to decide.",
            "decided_already": "You have decided.",
            "only_looking": "As an auditor you see everything and decide nothing.",
            "not_listed": "You are not listed as a custodian with a passkey, so you cannot decide yet.",
            "proof_refused": (
                "The passkey that you used is not the one in the list. Use that one, or ask to have it "
                "replaced."
            ),
            "passkey_refused_here": "The passkey was not accepted. Try again.",
            "not_open": "This request does not wait for a decision any more.",
            "decided_before": "You decided otherwise before, and a decision cannot be changed.",
            "me_heading": "Ask to be listed",
            "me_lead": "The other custodians have to agree.",
            "me_free": (
                "There are not enough custodians yet. Until there are, whoever runs the machine adds them: "
                "absah keys custodian add."
            ),
            "me_name_label": "Short name",
            "me_name_hint": "Lower-case letters, digits and hyphens, such as budi-s. It is kept for ever.",
            "me_passkey_label": "Passkey to decide with",
            "me_reason_label": "Reason",
            "me_reason_hint": "Read by those who agree.",
            "me_submit": "Send the request",
            "me_passkey_unnamed": "Passkey",
            "me_passkey_missing": "Choose one of the passkeys.",
            "me_refused": "Not possible: {reason}",
        },
    }
)
