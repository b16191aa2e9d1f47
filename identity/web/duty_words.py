"""Words that the pages of several roles share."""

from __future__ import annotations

from typing import Final

from identity.web.words import Words

SHARED: Final[Words] = {
    "id": {
        "back_account": "Kembali ke akun saya",
        "nothing": "belum tercatat",
        "identifier_hint": "NIK adalah 16 angka pada KTP.",
        "search": "Cari",
        "open": "Buka",
        "open_label": "Buka {name}",
        "ways": "Yang dapat Anda lakukan",
        "other_tasks": "Tugas lain",
        "state_label": "Status",
        "nobody_found": "Tidak ada akun dengan NIK atau email ini.",
        "search_noted": "Setiap pencarian tercatat, dan warga dapat melihatnya.",
        "search_delayed": "Terlalu banyak pencarian. Coba lagi dalam {wait}.",
        "own_account": "Ini akun Anda sendiri. Mintalah rekan Anda melakukannya.",
        "view_noted": "Warga ini dapat melihat bahwa petugas membuka akunnya hari ini.",
        "ial_label": "Identitas",
        "ial_ial0": "belum dipastikan",
        "ial_ial1": "cocok dengan data kependudukan",
        "ial_ial2": "dipastikan di loket",
        "account_is_registered": "belum selesai dibuat",
        "account_is_invited": "menunggu kode dipakai",
        "account_is_active": "aktif",
        "account_is_suspended": "dibekukan",
        "account_is_erased": "dihapus",
        "grant_is_proposed": "menunggu persetujuan",
        "grant_is_active": "berlaku",
        "grant_is_ended": "berakhir",
        "granted": "Diusulkan {moment}",
        "confirm": "Setujui",
        "confirm_label": "Setujui {name}",
        "end": "Akhiri",
        "end_label": "Akhiri {name}",
        "confirm_unfit": (
            "Belum bisa disetujui: orang ini belum punya kunci sandi (passkey) di akunnya, atau identitasnya "
            "belum dipastikan. Minta ia menyiapkannya dahulu."
        ),
        "four_eyes": "Orang lain yang harus menyetujui: bukan pengusul, dan bukan pemegang tugas itu.",
    },
    "en": {
        "back_account": "Back to my account",
        "nothing": "not on record",
        "identifier_hint": "The NIK is the 16-digit number on the identity card.",
        "search": "Search",
        "open": "Open",
        "open_label": "Open {name}",
        "ways": "What you can do",
        "other_tasks": "Other tasks",
        "state_label": "State",
        "nobody_found": "There is no account with this NIK or email address.",
        "search_noted": "Every search is written down, and the citizen can see it.",
        "search_delayed": "Too many searches. Try again in {wait}.",
        "own_account": "This is your own account. Ask a colleague to do it.",
        "view_noted": "This citizen can see that an officer opened the account today.",
        "ial_label": "Identity",
        "ial_ial0": "not checked",
        "ial_ial1": "known to the population registry",
        "ial_ial2": "checked at a counter",
        "account_is_registered": "not finished yet",
        "account_is_invited": "waiting for its code to be used",
        "account_is_active": "active",
        "account_is_suspended": "suspended",
        "account_is_erased": "erased",
        "grant_is_proposed": "waiting for a confirmation",
        "grant_is_active": "active",
        "grant_is_ended": "ended",
        "granted": "Proposed {moment}",
        "confirm": "Confirm",
        "confirm_label": "Confirm {name}",
        "end": "End",
        "end_label": "End {name}",
        "confirm_unfit": (
            "This cannot be confirmed yet: this person has no passkey in the account, or nobody has checked "
            "who it is. Ask them to see to it first."
        ),
        "four_eyes": "Somebody else has to confirm this: neither who proposed it nor who is to hold it.",
    },
}


def with_shared(own: Words) -> Words:
    """``own`` over what all roles say."""
    return {"id": {**SHARED["id"], **own["id"]}, "en": {**SHARED["en"], **own["en"]}}
