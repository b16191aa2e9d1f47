"""Bahasa Indonesia."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    # The frame
    "site_name": "Absah",
    "site_claim": "Akun Anda",
    "skip": "Langsung ke isi",
    "language_switch": "English",
    "language_switch_label": "Switch to English",
    "nav_account": "Akun saya",
    "footer": "Petugas tidak pernah meminta kata sandi atau kode Anda.",
    "footer_privacy": "Kami tidak memasang pelacak.",
    "for_portal": "Untuk masuk ke",
    "back_to_portal": "Kembali ke {portal}",
    "back_to_portal_text": "Tanpa masuk. Anda bisa mencoba lagi dari sana.",
    "optional": "(boleh dikosongkan)",
    "error_title": "Kesalahan: {title}",
    "problems_heading": "Ada yang perlu diperbaiki",
    # What can go wrong on any page
    "problem_text": "Tidak ada yang berubah pada akun Anda. Coba lagi beberapa saat lagi.",
    "problem_incident": "Bila tetap gagal, sebutkan nomor ini kepada petugas:",
    "problem_home": "Kembali ke awal",
    "page_unknown_heading": "Halaman ini tidak ada",
    "refused_heading": "Formulir tidak diterima",
    "unreadable_heading": "Formulir tidak terbaca",
    "refused_text": "Demi keamanan, isian Anda tidak kami proses. Penyebabnya mungkin:",
    "refused_old": "halaman sudah terlalu lama terbuka, atau Anda sudah masuk di tab lain;",
    "refused_cookies": "peramban Anda menolak kuki (cookie);",
    "refused_address": "alamatnya bukan alamat resmi. Alamat resmi:",
    "refused_again": "Buka halaman lagi",
    # Logging in
    "login_heading": "Masuk",
    "identifier_label": "Email atau NIK",
    "identifier_hint": "NIK adalah 16 angka pada KTP Anda.",
    "password_label": "Kata sandi",
    "login_submit": "Lanjut",
    "login_passkey_heading": "Masuk tanpa kata sandi",
    "login_passkey_text": "Pakai sidik jari, wajah, atau PIN perangkat ini, bila sudah Anda daftarkan.",
    "login_passkey_submit": "Pakai kunci sandi (passkey)",
    "login_other": "Pilihan lain",
    "login_lost": "Tidak bisa masuk?",
    "login_lost_text": "Lupa kata sandi, ganti ponsel, atau ponsel hilang.",
    "login_register": "Buat akun",
    "login_register_text": "Belum punya akun dan belum pernah ke loket.",
    "login_activate": "Aktifkan akun dari loket",
    "login_activate_text": "Petugas memberi Anda kode di kertas atau lewat email.",
    "login_refused": "Email, NIK, atau kata sandi tidak cocok. Periksa keduanya, lalu coba lagi.",
    "identifier_missing": "Tulis email atau NIK Anda.",
    "password_missing": "Tulis kata sandi Anda.",
    "login_delayed": "Terlalu banyak percobaan yang salah. Coba lagi dalam {wait}.",
    "login_busy": "Sedang sangat ramai. Coba lagi dalam {wait}.",
    "account_suspended": "Akun ini sedang dibekukan. Hubungi petugas bantuan.",
    "half_gone": "Waktu untuk masuk sudah habis. Mulai lagi dari sini.",
    "session_gone": "Demi keamanan, Anda sudah dikeluarkan. Masuk lagi.",
    # The second answer
    "second_heading": "Satu langkah lagi",
    "stepup_heading": "Pastikan ini Anda",
    "stepup_lead": "Yang akan Anda lakukan penting, jadi kami bertanya sekali lagi.",
    "stepup_passkey_needed": "Untuk ini diperlukan kunci sandi (passkey), dan akun Anda belum memilikinya.",
    "stepup_add_passkey": "Tambahkan kunci sandi",
    "totp_label": "Kode 6 angka",
    "totp_hint": "Buka aplikasi autentikator di ponsel Anda. Kodenya berganti setiap 30 detik.",
    "recovery_code_label": "Kode cadangan",
    "recovery_code_hint": "Salah satu kode yang Anda cetak atau simpan. Setiap kode hanya berlaku sekali.",
    "answer_passkey_heading": "Pakai perangkat Anda",
    "answer_passkey_text": (
        "Tekan tombol, lalu pakai sidik jari, wajah, atau PIN seperti saat membuka ponsel."
    ),
    "answer_passkey_submit": "Lanjut dengan kunci sandi",
    "answer_other": "Cara lain",
    "answer_with_totp": "Pakai kode dari aplikasi autentikator",
    "answer_with_passkey": "Pakai kunci sandi (sidik jari, wajah, atau PIN)",
    "answer_with_recovery_code": "Pakai kode cadangan",
    "code_missing": "Tulis kodenya.",
    "answer_refused": "Kodenya tidak diterima. Tunggu kode yang baru, lalu coba lagi.",
    "recovery_code_refused": "Kode ini tidak diterima atau sudah pernah dipakai. Coba kode yang lain.",
    "passkey_refused": (
        "Perangkat ini tidak diterima. Buka kuncinya dengan PIN, sidik jari, atau wajah, lalu coba lagi."
    ),
    "passkey_failed": "Tidak jadi atau waktunya habis. Coba lagi, atau pilih cara lain.",
    "passkey_unsupported": (
        "Cara ini memerlukan JavaScript dan peramban yang lebih baru. Pilih cara lain di bawah."
    ),
    # Cannot log in
    "lost_heading": "Tidak bisa masuk?",
    "lost_lead": "Pilih yang sesuai dengan keadaan Anda.",
    "lost_password": "Saya lupa kata sandi",
    "lost_password_text": "Kami kirim email, lalu Anda membuat kata sandi baru.",
    "lost_phone_codes": "Ponsel saya tidak ada, tetapi saya punya kode cadangan",
    "lost_phone_codes_text": "Masuk seperti biasa. Pada langkah kedua pilih “Pakai kode cadangan”.",
    "lost_phone": "Saya kehilangan semuanya",
    "lost_phone_text": "Kami bantu langkah demi langkah.",
    "lost_counter": "Lebih suka dibantu orang?",
    "lost_counter_text": "Datang ke loket dengan KTP Anda. Petugas membuka akun Anda kembali.",
    # A new account
    "register_heading": "Buat akun",
    "register_lead": "Perlu sekitar 5 menit. Siapkan ponsel dan email Anda.",
    "name_label": "Nama lengkap",
    "name_hint": "Seperti tertulis pada KTP.",
    "email_label": "Email",
    "email_hint": "Kami kirim kode ke alamat ini, misalnya siti@contoh.id.",
    "name_wrong": "Tulis nama lengkap Anda, paling banyak 120 huruf.",
    "email_wrong": "Alamat email ini tidak lengkap. Contoh yang benar: siti@contoh.id.",
    "register_submit": "Kirim kode ke email saya",
    "register_kept": "Data Anda",
    "register_kept_text": (
        "Kami menyimpan nama dan email Anda untuk akun ini saja. Anda dapat melihat, membetulkan, "
        "dan menghapusnya kapan saja."
    ),
    "register_have": "Saya sudah punya akun",
    "confirm_heading": "Buka email Anda",
    "confirm_lead": "Kami mengirim kode. Ketik kodenya di sini, atau tekan tautan di dalam email itu.",
    "confirm_link_heading": "Pastikan email Anda",
    "mail_code_label": "Kode dari email",
    "mail_code_hint": "16 huruf dan angka. Huruf besar atau kecil sama saja.",
    "confirm_submit": "Lanjut",
    "confirm_nothing": "Email belum datang?",
    "confirm_nothing_text": (
        "Tunggu beberapa menit dan periksa folder spam. Bila tetap tidak ada, ulangi dari awal."
    ),
    "code_refused": (
        "Kode ini salah, sudah dipakai, atau sudah terlalu lama. Periksa lagi, atau minta kode baru."
    ),
    "link_gone": "Tautan atau kode ini sudah dipakai atau sudah terlalu lama. Minta yang baru.",
    "activate_heading": "Aktifkan akun Anda",
    "activate_lead": "Ketik kode yang Anda terima dari petugas.",
    "activate_label": "Kode aktivasi",
    "activate_lost": "Kodenya hilang?",
    "activate_lost_text": "Datang lagi ke loket dengan KTP Anda. Petugas membuat kode baru.",
    # Setting up
    "progress": "Langkah {step} dari {of}",
    "next": "Lanjut",
    "start_again": "Ulangi dari awal",
    "other_way": "Pakai cara lain",
    "setup_password_heading": "Buat kata sandi",
    "setup_password_lead": "Pilih kata sandi yang hanya Anda yang tahu.",
    "new_password_label": "Kata sandi baru",
    "new_password_hint": (
        "Paling sedikit 8 huruf. Tiga atau empat kata yang tidak ada hubungannya mudah diingat dan "
        "sulit ditebak. Spasi boleh dipakai."
    ),
    "again_label": "Ketik sekali lagi",
    "again_differs": "Kedua kata sandi tidak sama. Ketik keduanya lagi.",
    "password_short": "Kata sandi ini terlalu pendek: paling sedikit {least} huruf, misalnya tiga kata.",
    "password_long": "Kata sandi ini terlalu panjang: paling banyak {most} huruf.",
    "password_characters": (
        "Ada tanda yang tidak sama di semua papan ketik. Pakai huruf, angka, spasi, dan tanda biasa."
    ),
    "password_common": "Kata sandi ini mudah ditebak. Pakai tiga atau empat kata yang tidak ada hubungannya.",
    "password_breached": (
        "Kata sandi ini pernah bocor dari situs lain, jadi orang lain mengetahuinya. Pakai tiga atau empat "
        "kata yang tidak ada hubungannya."
    ),
    "password_personal": "Kata sandi ini mirip nama atau email Anda. Pakai kata-kata lain.",
    "setup_second_heading": "Tambahkan pengaman kedua",
    "setup_second_lead": "Orang yang mengetahui kata sandi Anda tetap tidak bisa masuk. Pilih satu cara:",
    "setup_with_passkey": "Sidik jari, wajah, atau PIN perangkat ini",
    "setup_with_passkey_text": "Paling mudah dan paling aman. Disebut kunci sandi (passkey).",
    "setup_with_totp": "Aplikasi autentikator di ponsel",
    "setup_with_totp_text": "Aplikasi gratis yang menampilkan kode 6 angka, juga tanpa internet.",
    "setup_passkey_heading": "Daftarkan perangkat ini",
    "setup_passkey_title": "Sidik jari, wajah, atau PIN",
    "setup_passkey_lead": "Sidik jari dan wajah Anda tidak pernah meninggalkan perangkat ini.",
    "setup_passkey_text": "Tekan tombol, lalu ikuti petunjuk perangkat Anda.",
    "setup_passkey_submit": "Daftarkan kunci sandi",
    "passkey_name_label": "Nama perangkat",
    "passkey_name_hint": "Supaya Anda mengenalinya nanti.",
    "passkey_exists": "Perangkat ini sudah terdaftar.",
    "passkeys_many": "Sudah ada {most} kunci sandi. Hapus satu lebih dahulu.",
    "setup_totp_heading": "Hubungkan aplikasi autentikator",
    "setup_totp_lead": "Tiga langkah kecil, satu kali saja.",
    "totp_app_heading": "1. Pasang aplikasinya",
    "totp_app_text": (
        "Cari “authenticator” di toko aplikasi ponsel Anda, misalnya Google Authenticator, Microsoft "
        "Authenticator, atau Aegis. Semuanya gratis."
    ),
    "totp_scan_heading": "2. Pindai kode ini dengan aplikasi",
    "totp_scan_text": "Di aplikasi, tekan tanda tambah (+), lalu pilih pindai kode QR.",
    "totp_qr_label": "Kode QR untuk aplikasi autentikator; isinya sama dengan kunci yang tertulis di bawah.",
    "totp_same_phone": "Buka aplikasi di ponsel ini",
    "totp_by_hand": "Tidak bisa memindai? Ketik kunci ini di aplikasi:",
    "totp_confirm_heading": "3. Ketik kode dari aplikasi",
    "totp_confirm_hint": "6 angka yang sekarang tampil di aplikasi.",
    "totp_wrong": (
        "Aplikasi menampilkan kode lain. Tunggu kode berikutnya, dan pastikan jam ponsel diatur otomatis."
    ),
    "totp_setup_gone": "Waktunya habis. Pindai kode yang baru ini.",
    "codes_title": "Simpan kode cadangan",
    "codes_lead": "Bila ponsel hilang atau rusak, kode inilah jalan masuk Anda.",
    "codes_heading": "Kode cadangan Anda",
    "codes_text": "Setiap kode berlaku sekali. Kode ini hanya ditampilkan sekarang.",
    "codes_save": "Simpan sebagai berkas",
    "codes_print": (
        "Atau cetak halaman ini, atau salin ke kertas. Simpan di tempat yang aman, terpisah dari ponsel Anda."
    ),
    "codes_kept": "Kode sudah saya simpan",
    "codes_not_kept": "Simpan kodenya dahulu, lalu beri tanda centang.",
    "codes_done": "Selesai",
    "codes_file_name": "kode-cadangan.txt",
    "codes_file_head": (
        "Kode cadangan {host}, dibuat {moment}. Setiap kode berlaku sekali. Jangan berikan kepada siapa pun."
    ),
    "codes_show": "Tampilkan kode cadangan",
    "setup_over_heading": "Waktunya habis",
    "setup_over_text": "Demi keamanan, pembuatan akun ini sudah ditutup. Yang sudah Anda isi tidak hilang.",
    "setup_over_step_1": "Mendaftar sendiri? Daftar lagi dengan email yang sama; kami kirim kode baru.",
    "setup_over_step_2": "Akun dari loket? Minta kode baru kepada petugas.",
    "email_confirmed_heading": "Email Anda sudah dipastikan",
    "email_confirmed_text": "Mulai sekarang pemberitahuan kami kirim ke alamat ini.",
    "setup_done_heading": "Akun Anda siap",
    "setup_done_text": "Mulai sekarang, masuk dengan cara yang baru saja Anda buat.",
    "setup_done_submit": "Lanjut",
    "factor_added": "Pengaman kedua sudah ditambahkan.",
    "what_next": "Yang perlu Anda lakukan",
    # Getting back in
    "recovery_heading": "Pulihkan akun",
    "recovery_lead": "Kami kirim kode ke email akun Anda.",
    "recovery_no_mail": "Email itu tidak bisa Anda buka lagi?",
    "recovery_nothing_text": (
        "Tunggu beberapa menit dan periksa folder spam. Email hanya datang bila alamatnya terdaftar."
    ),
    "recovery_submit": "Kirim kode",
    "recovery_confirm_heading": "Buka email Anda",
    "recovery_confirm_lead": (
        "Bila akun itu ada, kami mengirim kode ke emailnya. Ketik kodenya di sini, atau tekan tautan "
        "di dalam email itu."
    ),
    "recovery_answer_heading": "Satu bukti lagi",
    "recovery_answer_lead": "Email saja tidak cukup: orang lain bisa saja membacanya.",
    "recovery_none_heading": "Datang ke loket",
    "recovery_none_text": "Tidak ada cara lain yang aman untuk memastikan bahwa ini Anda.",
    "recovery_none_step_1": "Bawa KTP Anda ke loket.",
    "recovery_none_step_2": "Petugas memberi kode. Dengan kode itu Anda membuka akun kembali.",
    "recovery_waiting_heading": "Tunggu sampai {moment}",
    "recovery_waiting_text": (
        "Masa tunggu ini melindungi Anda bila orang lain yang mencoba. Kami memberi tahu Anda lewat email."
    ),
    "recovery_waiting_step_1": "Setelah itu buka email dari kami dan tekan tautannya.",
    "recovery_waiting_step_2": "Bukan Anda yang meminta? Tekan “Bukan saya” di email itu.",
    "recovery_resume_heading": "Lanjutkan pemulihan",
    "recovery_cancel_heading": "Batalkan pemulihan?",
    "recovery_cancel_text": "Bila bukan Anda yang meminta, batalkan. Akun Anda tetap seperti semula.",
    "recovery_cancel_not": "Tidak, ini memang saya",
    "recovery_cancel_submit": "Ya, batalkan",
    "recovery_cancelled_heading": "Pemulihan dibatalkan",
    "recovery_cancelled_text": "Akun Anda tetap seperti semula.",
    "recovery_cancelled_step_1": "Ganti kata sandi email Anda bila Anda tidak meminta pemulihan.",
    "recovery_cancelled_step_2": "Masuk dan periksa daftar perangkat pada akun Anda.",
    # Leaving
    "to_login": "Ke halaman masuk",
    "logout_heading": "Keluar",
    "logout_lead": "Anda akan keluar dari akun ini di perangkat ini.",
    "logout_submit": "Keluar",
    "logout_stay": "Tetap masuk",
    "logged_out_heading": "Anda sudah keluar",
    "logged_out_text": "Di perangkat milik bersama, tutup juga perambannya.",
    "login_again": "Masuk lagi",
    # It was not me
    "not_me_heading": "Bukan Anda?",
    "not_me_text": (
        "Bila bukan Anda yang masuk, tekan tombol ini. Semua perangkat dikeluarkan, dan cara masuk yang "
        "ditambahkan sejak itu dihapus."
    ),
    "not_me_submit": "Bukan saya, amankan akun",
    "not_me_it_was": "Ini memang saya",
    "not_me_done_heading": "Akun Anda diamankan",
    "not_me_done_text": (
        "Semua perangkat sudah dikeluarkan. Cara yang dipakai orang itu untuk masuk, dan semua yang "
        "ditambahkan sejak itu, sudah dihapus."
    ),
    "not_me_done_step_1": "Buat kata sandi baru.",
    "not_me_done_step_2": (
        "Periksa cara masuk pada akun Anda. Yang Anda tambahkan sendiri sejak itu perlu ditambahkan lagi."
    ),
    "not_me_done_step_3": "Ganti juga kata sandi email Anda bila orang lain mungkin mengetahuinya.",
    "not_me_new_password": "Buat kata sandi baru",
    "link_gone_heading": "Tautan ini tidak berlaku lagi",
}
