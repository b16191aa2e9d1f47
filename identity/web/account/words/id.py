"""Bahasa Indonesia."""

from __future__ import annotations

from typing import Final

from identity.operators.words import role_words

TEXTS: Final[dict[str, str]] = {
    "back_account": "Kembali ke akun saya",
    "back_privacy": "Kembali ke data saya",
    "save": "Simpan",
    "keep": "Tidak jadi",
    "nothing": "belum tercatat",
    # The first page
    "overview_heading": "Akun saya",
    "ial_ial0_heading": "Identitas Anda belum dipastikan",
    "ial_ial0_text": (
        "Dengan akun ini Anda bisa masuk ke portal. Untuk melihat dokumen yang terbit atas nama Anda, "
        "pastikan dulu identitas Anda."
    ),
    "ial_ial1_heading": "Identitas Anda cocok dengan data kependudukan",
    "ial_ial1_text": "Untuk beberapa layanan, petugas di loket masih perlu melihat KTP Anda.",
    "ial_ial2_heading": "Identitas Anda sudah dipastikan di loket",
    "ial_ial2_text": "Petugas sudah melihat Anda dan KTP Anda.",
    "proofing_begin": "Pastikan identitas saya",
    "tasks_heading": "Tugas Anda sebagai petugas",
    "task_counter": "Loket",
    "task_counter_text": "Membuka dan memulihkan akun warga, menjawab permintaan data.",
    "task_help_desk": "Bantuan",
    "task_help_desk_text": "Membekukan akun, dan membukanya lagi.",
    "task_agency": "Instansi saya",
    "task_agency_text": "Sistem, kunci, dan penanda tangan instansi.",
    "task_operators": "Pengawasan petugas",
    "task_operators_text": "Siapa memegang tugas apa, dan yang menunggu persetujuan.",
    "yours_heading": "Tentang Anda",
    "safety_heading": "Keamanan dan data",
    "language_heading": "Bahasa",
    "language_text": "Untuk halaman ini dan email kepada Anda.",
    "language_legend": "Bahasa yang dipakai",
    # Sessions
    "sessions_heading": "Perangkat yang masuk",
    "sessions_count": "Sekarang: {count}. Keluarkan yang tidak Anda kenal.",
    "sessions_lead": "Di perangkat inilah akun Anda sedang terbuka.",
    "sessions_this": "perangkat ini",
    "sessions_since": "Masuk {moment}",
    "sessions_seen": "Terakhir dipakai {moment}",
    "sessions_end": "Keluarkan",
    "sessions_end_label": "Keluarkan {device}",
    "sessions_end_others": "Keluarkan semua yang lain",
    "sessions_strange": "Ada yang tidak Anda kenal?",
    "sessions_strange_text": "Keluarkan perangkat itu, lalu ganti kata sandi Anda.",
    # Ways to log in
    "factors_heading": "Cara masuk",
    "factors_text": "Kata sandi, aplikasi, kunci sandi, dan kode cadangan.",
    "factors_lead": "Untuk mengubahnya kami bertanya sekali lagi apakah ini Anda.",
    "factors_add": "Tambah atau ganti",
    "factor_password": "Kata sandi",
    "factor_totp": "Aplikasi autentikator",
    "factor_passkey": "Kunci sandi",
    "factor_recovery_code": "Kode cadangan",
    "factor_left": "Sisa {left} kode",
    "factor_since": "Sejak {moment}",
    "factor_used": "Terakhir dipakai {moment}",
    "factor_only": "Tidak bisa dihapus: tanpa ini Anda tidak bisa masuk.",
    "factor_suspected": "Mungkin ada salinannya: dilihat {moment}. Hapus, lalu daftarkan lagi.",
    "add_passkey": "Tambah kunci sandi",
    "add_passkey_text": "Sidik jari, wajah, atau PIN perangkat. Punya dua lebih aman.",
    "add_totp": "Tambah aplikasi autentikator",
    "replace_totp": "Ganti aplikasi autentikator",
    "add_totp_text": "Aplikasi yang lama berhenti berlaku begitu yang baru siap.",
    "add_password": "Buat kata sandi",
    "password_heading": "Ganti kata sandi",
    "password_text": "Setelah itu Anda masuk lagi di semua perangkat.",
    "password_lead": "Semua perangkat akan dikeluarkan, termasuk yang ini.",
    "password_done_heading": "Kata sandi sudah diganti",
    "password_done_text": "Masuk lagi dengan kata sandi yang baru.",
    "renew_codes": "Buat kode cadangan baru",
    "renew_codes_text": "Sepuluh kode baru. Kode yang lama tidak berlaku lagi.",
    "remove": "Hapus",
    "remove_label": "Hapus {name}",
    "remove_heading": "Hapus cara masuk ini?",
    "remove_submit": "Ya, hapus",
    "remove_password": "Setelah itu Anda masuk dengan kunci sandi saja.",
    "remove_totp": "Kode dari aplikasi itu tidak berlaku lagi.",
    "remove_passkey": "Kunci sandi itu tidak bisa lagi dipakai untuk masuk.",
    "remove_recovery_code": "Bila ponsel hilang, Anda tidak punya cadangan lagi.",
    "factor_needed": (
        "Cara ini tidak bisa dihapus: tanpa ini Anda tidak bisa masuk. Tambahkan cara lain dahulu."
    ),
    # Documents
    "documents_heading": "Dokumen saya",
    "documents_text": "Dokumen yang diterbitkan instansi atas nama Anda.",
    "documents_lead": "Diterbitkan instansi dengan NIK Anda.",
    "documents_unproofed": "Kami baru bisa menampilkan dokumen setelah identitas Anda dipastikan.",
    "documents_none": "Belum ada dokumen yang diterbitkan dengan NIK Anda.",
    "documents_issued": "Terbit {day}",
    "documents_until": "berlaku sampai {day}",
    "documents_open": "Lihat",
    "documents_open_label": "Lihat {title}",
    "documents_older": "Yang lebih lama",
    "documents_missing": "Ada yang kurang?",
    "documents_missing_text": (
        "Hanya dokumen yang instansinya mencantumkan NIK Anda yang tampil di sini. Tanyakan kepada "
        "instansi itu."
    ),
    "state_issued": "berlaku",
    "state_expired": "habis masa berlaku",
    "state_superseded": "sudah diganti",
    "state_revoked": "dicabut",
    # Who looked
    "lookups_heading": "Siapa yang melihat data saya",
    "lookups_text": "Instansi, portal, dan petugas, dengan tanggalnya.",
    "lookups_lead": "Terbaru di atas. Satu baris per hari untuk setiap pihak.",
    "lookups_none": "Belum ada yang melihat data Anda.",
    "lookups_how": "Dari mana daftar ini?",
    "lookups_how_text": (
        "Layanan mencatatnya sendiri setiap kali; instansi dan petugas tidak bisa menghapusnya. Ada yang "
        "tidak wajar? Tanyakan lewat bantuan."
    ),
    "lookup_document_read": "Membaca data dokumen Anda",
    "lookup_document_file_read": "Mengambil berkas dokumen Anda",
    "lookup_open": "Lihat dokumen",
    "lookup_document": "Lihat dokumen {id}",
    "lookup_portal_login": "Anda masuk ke portal ini",
    "lookup_claims_shared": "Menerima data yang Anda izinkan",
    "lookup_account_viewed": "Melihat akun Anda",
    "lookup_account_searched": "Mencari apakah Anda punya akun",
    **role_words("id"),
    # What is shared
    "consents_heading": "Izin untuk portal",
    "consents_text": "Portal yang boleh melihat data Anda, dan apa saja.",
    "consents_lead": "Portal ini menerima data Anda saat Anda masuk ke sana.",
    "consents_none": "Anda belum memberi izin kepada portal mana pun.",
    "consents_since": "Sejak {moment}",
    "withdraw": "Cabut izin",
    "withdraw_label": "Cabut izin {portal}",
    "withdraw_what": "Apa yang terjadi bila dicabut?",
    "withdraw_what_text": (
        "Portal itu langsung tidak bisa mengambil data Anda lagi. Data yang sudah diterimanya dihapus oleh "
        "instansi yang mengelolanya: mintalah kepada mereka."
    ),
    "shared_openid": "Bahwa Anda yang masuk",
    "shared_profile": "Nama lengkap",
    "shared_email": "Alamat email",
    "shared_birthdate": "Tanggal lahir",
    "shared_nik": "NIK",
    "shared_offline_access": "Juga saat Anda tidak membuka portal",
    "shared_documents": "Menerbitkan dokumen dengan wewenang Anda",
    # My data
    "privacy_heading": "Data saya",
    "privacy_text": "Lihat, ambil, betulkan, atau hapus data Anda.",
    "privacy_lead": "Data Anda milik Anda.",
    "privacy_kept": "Yang kami simpan tentang Anda",
    "privacy_ways": "Yang dapat Anda lakukan",
    "birth_date_label": "Tanggal lahir",
    "account_since": "Akun dibuat",
    "email_unconfirmed": "Belum dipastikan: kodenya belum diketik.",
    "privacy_law": "Hak Anda",
    "privacy_law_text": (
        "Undang-Undang Pelindungan Data Pribadi (UU 27/2022) memberi Anda hak ini. Kami menjawab setiap "
        "permintaan paling lambat 3 x 24 jam. Batas waktunya tertulis di sini."
    ),
    "export_heading": "Ambil salinan data saya",
    "export_text": "Semua yang kami simpan, dalam satu berkas.",
    "export_lead": "Satu berkas (JSON) berisi semua yang kami simpan tentang Anda, siapa yang melihatnya, "
    "dan permintaan Anda.",
    "export_careful": "Berkas itu berisi NIK Anda. Jangan simpan di perangkat milik bersama.",
    "export_submit": "Ambil berkas",
    "export_file_name": "data-saya.json",
    "correction_heading": "Betulkan data saya",
    "correction_text": "Nama, tanggal lahir, atau NIK yang salah.",
    "correction_proofed": (
        "Data Anda sudah dicocokkan dengan KTP, jadi petugas yang membetulkannya. Kami jawab dalam 3 x 24 "
        "jam."
    ),
    "details_label": "Apa yang salah, dan apa yang benar?",
    "details_hint": "Misalnya: nama saya ditulis Sity, seharusnya Siti, sesuai KTP.",
    "details_missing": "Tulis apa yang harus dibetulkan.",
    "correction_submit": "Kirim permintaan",
    "request_repeated": "Permintaan yang sama sedang berjalan. Lihat batas waktunya di halaman data saya.",
    "address_heading": "Ganti email",
    "address_text": "Kami kirim kode ke alamat yang baru.",
    "address_lead": (
        "Alamat lama tetap berlaku sampai kode dari alamat baru diketik. Alamat lama diberi tahu."
    ),
    "address_new": "Alamat email baru",
    "erasure_heading": "Hapus akun saya",
    "erasure_text": "Akun dan data Anda dihapus untuk selamanya.",
    "erasure_lead": "Ini tidak bisa dibatalkan setelah dilaksanakan.",
    "erasure_what": "Yang terjadi",
    "erasure_gone": "Nama, email, NIK, cara masuk, dan izin Anda dihapus.",
    "erasure_stays": "Dokumen yang sudah diterbitkan instansi tetap sah; instansi itu yang menyimpannya.",
    "erasure_think": (
        "Penghapusan dilaksanakan setelah masa tunggu. Sampai saat itu Anda bisa menarik kembali."
    ),
    "erasure_sure": "Saya mengerti, hapus akun saya",
    "erasure_submit": "Hapus akun",
    "erasure_unsure": "Beri tanda centang bila Anda yakin.",
    "requests_heading": "Permintaan saya",
    "request_access": "Salinan data",
    "request_correction": "Pembetulan data",
    "request_erasure": "Penghapusan akun",
    "request_withdrawal": "Pencabutan izin",
    "request_is_open": "sedang ditangani",
    "request_is_waiting": "menunggu waktunya",
    "request_is_answered": "selesai",
    "request_is_refused": "ditolak",
    "request_is_taken_back": "ditarik kembali",
    "request_received": "Diterima {moment}",
    "request_closed": "Selesai {moment}",
    "request_due": "Dijawab paling lambat {moment}",
    "request_executes": "Dilaksanakan {moment}",
    "request_late": "Batas waktunya sudah lewat. Hubungi petugas bantuan.",
    "take_back": "Tarik kembali",
    "refusal_identity_not_shown": "Alasan: identitas belum ditunjukkan.",
    "refusal_legal_duty": "Alasan: undang-undang lain mewajibkan data ini disimpan.",
    "refusal_data_of_others": "Alasan: menyangkut data orang lain.",
    "refusal_not_shown_wrong": "Alasan: bukti kesalahannya belum ditunjukkan.",
    # Who I am
    "proofing_heading": "Pastikan identitas saya",
    "proofing_counter": "Saya punya kode dari loket",
    "proofing_counter_text": "Petugas sudah melihat KTP Anda dan memberi kode di kertas atau lewat email.",
    "proofing_counter_submit": "Pakai kode ini",
    "proofing_registry": "Cocokkan dengan data kependudukan",
    "proofing_registry_text": (
        "Kami bertanya kepada data kependudukan apakah ketiganya cocok. Tidak ada yang lain yang diambil."
    ),
    "proofing_registry_submit": "Cocokkan",
    "nik_hint": "16 angka pada KTP.",
    "nik_wrong": "NIK ini tidak benar. Cocokkan satu per satu dengan KTP: 16 angka.",
    "birth_date_hint": "Misalnya 17-08-1955: hari, bulan, tahun.",
    "birth_date_wrong": "Tanggal lahir ini tidak benar atau tidak cocok dengan NIK.",
    "proofing_refused": (
        "Data ini tidak dapat dicocokkan untuk akun Anda. Periksa lagi dengan KTP, atau datang ke loket."
    ),
    "proofing_often": "Sudah terlalu sering dicoba hari ini. Coba lagi besok, atau datang ke loket.",
    "registry_unavailable": "Data kependudukan sedang tidak menjawab. Coba lagi nanti.",
}
