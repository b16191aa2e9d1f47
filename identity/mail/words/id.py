"""Bahasa Indonesia."""

from __future__ import annotations

from typing import Final

from identity.mail.words.wording import Wording

FRAME: Final[dict[str, str]] = {
    "greeting": "Halo,",
    "or_open": "Bila tombol tidak berfungsi, salin alamat ini ke peramban:",
    "automatic": "Surel ini dikirim otomatis oleh {site}. Tidak perlu dibalas.",
    "caution": "Petugas tidak pernah meminta kata sandi atau kode Anda. Alamat resmi kami hanya {site}.",
}

_NOT_YOU = "Bila bukan Anda yang melakukannya, buka tautan di atas dan amankan akun Anda sekarang."
_IGNORE = "Bila bukan Anda yang meminta, abaikan surel ini. Tidak ada yang berubah."

WORDINGS: Final[dict[str, Wording]] = {
    "registration": Wording(
        "Konfirmasi alamat surel Anda",
        ("Seseorang ingin membuat akun dengan alamat surel ini.", "Kode Anda: {code}"),
        "Konfirmasi dan lanjutkan",
        ("Kode ini hanya berlaku satu kali dan untuk waktu terbatas.", _IGNORE),
    ),
    "registration_known": Wording(
        "Alamat surel Anda sudah terdaftar",
        (
            "Seseorang mencoba membuat akun dengan alamat surel ini, padahal akun Anda sudah ada.",
            "Bila itu Anda: masuk seperti biasa. Bila lupa kata sandi, pilih pemulihan di halaman masuk.",
        ),
        "Masuk",
        ("Bila bukan Anda, abaikan surel ini. Orang itu tidak diberi tahu bahwa Anda punya akun.",),
    ),
    "activation": Wording(
        "Aktifkan akun Anda",
        ("Petugas telah membuka akun untuk Anda setelah memeriksa identitas Anda.", "Kode aktivasi: {code}"),
        "Aktifkan akun",
        (
            "Kode ini hanya berlaku satu kali dan untuk waktu terbatas. Jangan berikan kepada siapa pun.",
            "Bila Anda tidak pernah datang ke loket, laporkan kepada petugas.",
        ),
    ),
    "account_ready": Wording(
        "Akun Anda siap dipakai",
        ("Akun Anda sudah aktif. Anda dapat masuk ke semua layanan yang terhubung.",),
        "Masuk",
    ),
    "account_suspended": Wording(
        "Akun Anda dihentikan sementara",
        (
            "Akun Anda dihentikan sementara dan semua sesi diakhiri.",
            "Datangi loket atau hubungi petugas bantuan untuk mengetahui sebabnya.",
        ),
    ),
    "account_resumed": Wording(
        "Akun Anda dapat dipakai lagi",
        ("Penghentian sementara akun Anda sudah dicabut.",),
        "Masuk",
    ),
    "proofing_raised": Wording(
        "Identitas Anda sudah dibuktikan",
        ("Tingkat pembuktian identitas akun Anda naik.",),
        "Lihat akun saya",
        (_NOT_YOU,),
    ),
    "proofing_lost": Wording(
        "Pembuktian identitas akun Anda dicabut",
        (
            "Pembuktian identitas akun Anda tidak berlaku lagi: NIK-nya kini dibuktikan di akun lain.",
            "Bila menurut Anda ini keliru, datangi loket dengan membawa KTP-el.",
        ),
        "Lihat akun saya",
    ),
    "nik_tried_elsewhere": Wording(
        "NIK Anda dicoba di akun lain",
        (
            "Seseorang mencoba membuktikan NIK Anda di akun lain. Percobaan itu ditolak.",
            "Bila itu bukan Anda, tidak ada yang perlu dilakukan. Bila berulang, laporkan kepada petugas.",
        ),
        "Lihat akun saya",
    ),
    "email_change": Wording(
        "Konfirmasi alamat surel baru",
        ("Alamat ini dipilih sebagai alamat surel baru sebuah akun.", "Kode Anda: {code}"),
        "Konfirmasi alamat",
        ("Kode ini hanya berlaku satu kali dan untuk waktu terbatas.", _IGNORE),
    ),
    "email_change_known": Wording(
        "Alamat surel Anda dipilih untuk akun lain",
        (
            "Seseorang ingin memakai alamat ini untuk akunnya, padahal alamat ini sudah dipakai akun Anda.",
            "Tidak ada yang berubah dan Anda tidak perlu melakukan apa pun.",
        ),
    ),
    "email_change_notice": Wording(
        "Alamat surel akun Anda akan diganti",
        ("Seseorang yang masuk ke akun Anda meminta agar alamat surelnya diganti.",),
        "Lihat akun saya",
        (_NOT_YOU,),
    ),
    "email_changed": Wording(
        "Alamat surel akun Anda sudah diganti",
        (
            "Akun Anda kini memakai alamat surel lain. Ini surel terakhir ke alamat ini.",
            "Bila bukan Anda yang menggantinya, hubungi petugas bantuan hari ini juga.",
        ),
    ),
    "factor_added": Wording(
        "Cara masuk baru ditambahkan",
        ("Cara masuk baru ditambahkan ke akun Anda: {factor}.", "Waktu: {when}"),
        "Lihat cara masuk",
        (_NOT_YOU,),
    ),
    "factor_removed": Wording(
        "Satu cara masuk dihapus",
        ("Cara masuk ini dihapus dari akun Anda: {factor}.", "Waktu: {when}"),
        "Lihat cara masuk",
        (_NOT_YOU,),
    ),
    "password_changed": Wording(
        "Kata sandi Anda diganti",
        ("Kata sandi akun Anda diganti dan semua sesi lain diakhiri.", "Waktu: {when}"),
        "Lihat cara masuk",
        (_NOT_YOU,),
    ),
    "recovery_codes_renewed": Wording(
        "Kode pemulihan baru dibuat",
        ("Kode pemulihan baru dibuat untuk akun Anda. Kode yang lama tidak berlaku lagi.", "Waktu: {when}"),
        "Lihat cara masuk",
        (_NOT_YOU,),
    ),
    "recovery_code_used": Wording(
        "Kode pemulihan dipakai",
        ("Satu kode pemulihan dipakai di akun Anda. Sisa: {left}.", "Waktu: {when}"),
        "Lihat cara masuk",
        (_NOT_YOU,),
    ),
    "passkey_suspected": Wording(
        "Kunci sandi Anda mungkin tersalin",
        (
            "Seseorang mencoba masuk dengan salinan dari {factor}. Kami menolaknya.",
            "Waktu: {when}",
            "Hapus kunci sandi itu, lalu daftarkan lagi perangkat Anda.",
        ),
        "Lihat cara masuk",
        (_NOT_YOU,),
    ),
    "new_device": Wording(
        "Masuk dari perangkat baru",
        (
            "Akun Anda dipakai masuk dari perangkat yang belum dikenal.",
            "Perangkat: {device}",
            "Tempat: {place}",
            "Waktu: {when}",
            "Bila itu Anda, tidak ada yang perlu dilakukan.",
        ),
        "Ini bukan saya",
        ("Tombol itu mengakhiri semua sesi dan memandu Anda mengamankan akun.",),
    ),
    "not_me": Wording(
        "Akun Anda diamankan",
        (
            "Anda melaporkan bahwa seseorang lain masuk ke akun Anda. Semua sesi sudah diakhiri.",
            "Waktu: {when}",
            "Ganti kata sandi Anda, lalu periksa cara masuk yang terpasang.",
        ),
        "Pulihkan akun",
    ),
    "recovery_started": Wording(
        "Pemulihan akun Anda dimulai",
        (
            "Seseorang meminta pemulihan akun Anda karena kehilangan cara masuk.",
            "Perangkat: {device}",
            "Tempat: {place}",
            "Pemulihan baru dapat diselesaikan setelah {until}. Sebelum itu Anda dapat membatalkannya.",
        ),
        "Batalkan pemulihan",
        ("Bila itu Anda, tunggu saja. Kami mengirim surel lagi saat waktunya tiba.",),
    ),
    "recovery_code": Wording(
        "Kode pemulihan akun",
        ("Anda meminta pemulihan akun. Kode Anda: {code}",),
        "Lanjutkan pemulihan",
        ("Kode ini hanya berlaku satu kali dan untuk waktu terbatas.", _IGNORE),
    ),
    "recovery_cancelled": Wording(
        "Pemulihan akun dibatalkan",
        ("Pemulihan akun Anda dibatalkan. Cara masuk Anda tidak berubah.", "Waktu: {when}"),
        "Lihat akun saya",
    ),
    "recovery_ready": Wording(
        "Pemulihan akun dapat diselesaikan",
        ("Masa tunggu pemulihan akun Anda selesai.", "Selesaikan sebelum {until}."),
        "Selesaikan pemulihan",
        ("Bila bukan Anda yang meminta, masuk ke akun Anda sekarang dan batalkan.",),
    ),
    "recovery_done": Wording(
        "Akun Anda sudah dipulihkan",
        ("Cara masuk ke akun Anda diganti melalui pemulihan. Semua sesi lama diakhiri.", "Waktu: {when}"),
        "Lihat cara masuk",
        ("Bila bukan Anda, hubungi petugas bantuan hari ini juga.",),
    ),
    "privacy_received": Wording(
        "Permintaan data pribadi Anda diterima",
        (
            "Permintaan Anda tentang data pribadi sudah kami catat.",
            "Menurut Undang-Undang Pelindungan Data Pribadi kami menjawab paling lambat {deadline}.",
        ),
        "Lihat permintaan",
        (_NOT_YOU,),
    ),
    "privacy_answered": Wording(
        "Permintaan data pribadi Anda dijawab",
        ("Permintaan Anda tentang data pribadi sudah dijawab.",),
        "Lihat jawaban",
    ),
    "account_erased": Wording(
        "Akun Anda sudah dihapus",
        (
            "Sesuai permintaan, akun dan data pribadi Anda sudah kami hapus.",
            "Dokumen yang pernah diterbitkan tetap sah dan tetap dapat diperiksa.",
        ),
    ),
    "consent_given": Wording(
        "Anda menyetujui pemberian data",
        ("Anda menyetujui bahwa {portal} menerima data dari akun Anda.", "Waktu: {when}"),
        "Lihat atau cabut persetujuan",
        (_NOT_YOU,),
    ),
    "trial": Wording(
        "Surel percobaan",
        ("Surel ini membuktikan bahwa pengaturan surel bekerja. Tidak ada yang perlu dilakukan.",),
    ),
}
