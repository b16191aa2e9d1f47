"""Bahasa Indonesia."""

from __future__ import annotations

from typing import Final

from identity.mail.words.wording import Wording

FRAME: Final[dict[str, str]] = {
    "greeting": "Halo,",
    "or_open": "Bila tombol tidak berfungsi, salin alamat ini ke peramban:",
    "automatic": "Email ini dikirim otomatis oleh {site}. Tidak perlu dibalas.",
    "caution": "Petugas tidak pernah meminta kata sandi atau kode Anda. Alamat resmi kami hanya {site}.",
}

_NOT_YOU = "Bila bukan Anda yang melakukannya, buka tautan di atas dan amankan akun Anda sekarang."
_IGNORE = "Bila bukan Anda yang meminta, abaikan email ini. Tidak ada yang berubah."

WORDINGS: Final[dict[str, Wording]] = {
    "registration": Wording(
        "Konfirmasi alamat email Anda",
        ("Seseorang ingin membuat akun dengan alamat email ini.", "Kode Anda: {code}"),
        "Konfirmasi dan lanjutkan",
        ("Kode ini hanya berlaku satu kali dan untuk waktu terbatas.", _IGNORE),
    ),
    "registration_known": Wording(
        "Alamat email Anda sudah terdaftar",
        (
            "Seseorang mencoba membuat akun dengan alamat email ini, padahal akun Anda sudah ada.",
            "Bila itu Anda: masuk seperti biasa. Bila lupa kata sandi, pilih pemulihan di halaman masuk.",
        ),
        "Masuk",
        ("Bila bukan Anda, abaikan email ini. Orang itu tidak diberi tahu bahwa Anda punya akun.",),
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
        "Akun Anda dibekukan",
        (
            "Akun Anda dibekukan dan semua perangkat dikeluarkan.",
            "Datang ke loket atau hubungi petugas bantuan untuk mengetahui sebabnya.",
        ),
    ),
    "account_resumed": Wording(
        "Akun Anda dapat dipakai lagi",
        ("Akun Anda tidak lagi dibekukan.",),
        "Masuk",
    ),
    "proofing_raised": Wording(
        "Identitas Anda sudah dipastikan",
        ("Identitas pada akun Anda sudah dipastikan.",),
        "Lihat akun saya",
        (_NOT_YOU,),
    ),
    "proofing_lost": Wording(
        "Identitas akun Anda perlu dipastikan lagi",
        (
            "Identitas akun Anda tidak lagi dipastikan: NIK-nya sudah dipastikan di akun lain.",
            "Bila menurut Anda ini keliru, datang ke loket dengan KTP Anda.",
        ),
        "Lihat akun saya",
    ),
    "nik_tried_elsewhere": Wording(
        "NIK Anda dicoba di akun lain",
        (
            "Seseorang mencoba memakai NIK Anda di akun lain. Percobaan itu ditolak.",
            "Bila itu bukan Anda, tidak ada yang perlu dilakukan. Bila berulang, laporkan kepada petugas.",
        ),
        "Lihat akun saya",
    ),
    "email_change": Wording(
        "Konfirmasi alamat email baru",
        ("Alamat ini dipilih sebagai alamat email baru sebuah akun.", "Kode Anda: {code}"),
        "Konfirmasi alamat",
        ("Kode ini hanya berlaku satu kali dan untuk waktu terbatas.", _IGNORE),
    ),
    "email_change_known": Wording(
        "Alamat email Anda dipilih untuk akun lain",
        (
            "Seseorang ingin memakai alamat ini untuk akunnya, padahal alamat ini sudah dipakai akun Anda.",
            "Tidak ada yang berubah dan Anda tidak perlu melakukan apa pun.",
        ),
    ),
    "email_change_notice": Wording(
        "Alamat email akun Anda akan diganti",
        ("Seseorang yang masuk ke akun Anda meminta agar alamat emailnya diganti.",),
        "Lihat akun saya",
        (_NOT_YOU,),
    ),
    "email_changed": Wording(
        "Alamat email akun Anda sudah diganti",
        (
            "Akun Anda kini memakai alamat email lain.",
            "Bila bukan Anda yang menggantinya, buka tautan ini sebelum {until}. Alamat ini berlaku lagi, "
            "dan semua perangkat dikeluarkan.",
        ),
        "Bukan saya, kembalikan akun saya",
        ("Bila memang Anda, tidak ada yang perlu dilakukan. Email berikutnya dikirim ke alamat baru.",),
    ),
    "email_reverted": Wording(
        "Akun Anda memakai alamat email yang lama lagi",
        (
            "Pembaca alamat email lama akun Anda mengatakan bahwa bukan dia yang menggantinya.",
            "Alamat lama itu berlaku lagi; alamat ini tidak.",
            "Bila memang Anda yang mengganti dan orang lain membaca email lama Anda, hubungi petugas bantuan "
            "hari ini juga.",
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
        ("Kata sandi akun Anda diganti dan semua perangkat dikeluarkan.", "Waktu: {when}"),
        "Lihat cara masuk",
        (_NOT_YOU,),
    ),
    "recovery_codes_renewed": Wording(
        "Kode cadangan baru dibuat",
        ("Kode cadangan baru dibuat untuk akun Anda. Kode yang lama tidak berlaku lagi.", "Waktu: {when}"),
        "Lihat cara masuk",
        (_NOT_YOU,),
    ),
    "recovery_code_used": Wording(
        "Kode cadangan dipakai",
        ("Satu kode cadangan dipakai di akun Anda. Sisa: {left}.", "Waktu: {when}"),
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
        ("Tombol itu mengeluarkan semua perangkat dan memandu Anda mengamankan akun.",),
    ),
    "not_me": Wording(
        "Akun Anda diamankan",
        (
            "Anda melaporkan bahwa orang lain masuk ke akun Anda. Semua perangkat sudah dikeluarkan.",
            "Cara masuk yang dipakainya, dan semua yang ditambahkan sejak itu, sudah dihapus.",
            "Waktu: {when}",
            "Sekarang pulihkan akun Anda dengan tombol di bawah dan buat kata sandi baru.",
        ),
        "Pulihkan akun",
        (
            "Sesudah itu periksa cara masuk Anda. Yang Anda tambahkan sejak itu perlu ditambahkan lagi.",
            "Ganti juga kata sandi email Anda bila orang lain mungkin mengetahuinya.",
        ),
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
        ("Bila itu Anda, tunggu saja. Kami mengirim email lagi saat waktunya tiba.",),
    ),
    "recovery_code": Wording(
        "Kode untuk memulihkan akun",
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
        (
            "Cara masuk ke akun Anda diganti lewat pemulihan. Semua perangkat lama dikeluarkan.",
            "Waktu: {when}",
        ),
        "Lihat cara masuk",
        ("Bila bukan Anda, hubungi petugas bantuan hari ini juga.",),
    ),
    "role_proposed": Wording(
        "Tugas untuk Anda menunggu persetujuan",
        (
            "Anda diusulkan untuk tugas ini: {role}.",
            "Waktu: {when}",
            "Tugas itu belum berlaku. Orang lain harus menyetujuinya dahulu.",
            "Siapkan kunci sandi (passkey) bila belum punya: tanpa itu tugas tidak bisa disetujui.",
        ),
        "Lihat cara masuk",
        ("Bila Anda tidak tahu tentang tugas ini, tanyakan kepada atasan Anda atau petugas bantuan.",),
    ),
    "role_confirmed": Wording(
        "Tugas Anda sudah berlaku",
        (
            "Mulai sekarang Anda memegang tugas ini: {role}.",
            "Waktu: {when}",
            "Untuk bekerja, masuklah dengan kunci sandi (passkey). Cara lain tidak cukup untuk petugas.",
        ),
        "Lihat akun saya",
        ("Bila Anda tidak tahu tentang tugas ini, hubungi petugas bantuan hari ini juga.",),
    ),
    "role_ended": Wording(
        "Tugas Anda berakhir",
        (
            "Anda tidak lagi memegang tugas ini: {role}.",
            "Waktu: {when}",
            "Akun pribadi dan dokumen Anda tidak berubah.",
        ),
        "Lihat akun saya",
        ("Bila menurut Anda ini keliru, tanyakan kepada atasan Anda atau petugas bantuan.",),
    ),
    "privacy_received": Wording(
        "Permintaan data pribadi Anda diterima",
        (
            "Permintaan Anda tentang data pribadi sudah kami catat.",
            "Kami menjawab paling lambat {deadline}.",
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
        "Anda memberi izin kepada sebuah portal",
        ("Anda mengizinkan {portal} menerima data dari akun Anda.", "Waktu: {when}"),
        "Lihat atau cabut izin",
        (_NOT_YOU,),
    ),
    "system_proposed": Wording(
        "Perubahan pada sistem instansi Anda menunggu persetujuan",
        (
            "Instansi: {agency}. Sistem: {system}.",
            "Seorang administrator mengusulkan agar sistem ini boleh melakukan lebih banyak. "
            "Belum ada yang berubah.",
            "Orang lain, bukan pengusul, harus mencocokkan kuncinya dan menyetujuinya sebelum {until}.",
        ),
        "Lihat usulan",
        ("Bila diusulkan atas nama Anda tetapi bukan oleh Anda, tarik usulan itu dan laporkan sekarang.",),
    ),
    "system_confirmed": Wording(
        "Perubahan pada sistem instansi Anda mulai berlaku",
        ("Instansi: {agency}. Sistem: {system}.", "Orang kedua sudah menyetujui usulannya.", "Waktu: {when}"),
        "Lihat yang disetujui",
        ("Bila ini tidak semestinya terjadi, nonaktifkan sistemnya dan laporkan sekarang.",),
    ),
    "system_changed": Wording(
        "Pengelola layanan mengubah sistem instansi Anda",
        (
            "Instansi: {agency}. Sistem: {system}.",
            "Sistem didaftarkan, atau kunci atau cakupannya diubah, langsung oleh pengelola layanan.",
            "Waktu: {when}",
        ),
        "Lihat sistem instansi",
        ("Bila Anda tidak diberi tahu, nonaktifkan sistem itu di sana dan tanyakan kepada pengelola.",),
    ),
    "key_request_waits": Wording(
        "Permintaan tentang kunci menunggu Anda",
        (
            "Yang diminta: {act}.",
            "Permintaan menunggu sampai {until}. Buka, tanyakan alasannya kepada peminta, lalu putuskan.",
        ),
        "Lihat permintaan",
        ("Jangan menyetujui karena diminta lewat surat atau telepon. Yang berlaku adalah isi halaman.",),
    ),
    "key_request_approved": Wording(
        "Permintaan tentang kunci cukup disetujui",
        ("Yang diminta: {act}.", "Cukup banyak pemegang kunci menyetujuinya. Akan dilaksanakan."),
        "Lihat permintaan",
        ("Bila Anda tidak tahu tentang ini, atau menyetujui hal lain, laporkan sekarang.",),
    ),
    "key_request_rejected": Wording(
        "Permintaan tentang kunci ditolak",
        ("Yang diminta: {act}.", "Begitu banyak yang menolak sehingga permintaan tidak akan dilaksanakan."),
        "Lihat permintaan",
    ),
    "key_request_cancelled": Wording(
        "Permintaan tentang kunci dibatalkan",
        (
            "Yang diminta: {act}.",
            "Permintaan sudah disetujui dan menunggu sertifikat, lalu dibatalkan. Kunci baru dimusnahkan; "
            "kunci sebelumnya tetap dipakai.",
        ),
        "Lihat siapa yang membatalkan, dan alasannya",
        ("Bila masih diperlukan, ajukan permintaan baru.",),
    ),
    "unit_distrusted": Wording(
        "Sebuah unit cap waktu tidak dipercaya lagi",
        (
            "Unit milik pihak lain: {unit}. Sidik sertifikatnya: {code}.",
            "Seorang pengelola layanan menyatakannya, karena kuncinya bocor atau waktunya tidak benar.",
            "Dokumen yang bercap waktu dari unit itu mendapat cap waktu dari unit lain.",
        ),
        "Lihat tindakan atas kunci",
        ("Bila ini keliru, mintalah agar unit itu dipercaya lagi; untuk itu pemegang kunci harus setuju.",),
    ),
    "seal_lost": Wording(
        "Kunci penyegel dokumen instansi Anda hilang",
        (
            "Instansi: {agency}. Dokumen yang perlu diganti: {count}.",
            "Kunci itu mungkin di tangan orang lain sejak {since}. Kunci sudah dihentikan dan dicabut.",
            "Dokumen yang terbukti disegel sebelumnya tetap sah. Dokumen lainnya disegel ulang oleh layanan "
            "dengan isi yang sama; nomor segel lama menunjuk ke dokumen baru.",
        ),
        "Buka halaman instansi",
        (
            "Periksa dokumen yang terbit sejak saat itu. Segera cabut yang bukan terbitan instansi Anda.",
            "Sampaikan kepada masyarakat: periksa dokumen di halaman verifikasi, jangan buang dokumen lama.",
        ),
    ),
    "seal_renewed": Wording(
        "Dokumen instansi Anda selesai disegel ulang",
        (
            "Instansi: {agency}. Dokumen yang disegel ulang: {count}.",
            "Selesai: {when}. Siapa pun yang memeriksa dokumen lama diarahkan ke yang baru.",
        ),
        "Buka halaman instansi",
        ("Ambil berkas barunya bila sistem Anda menyimpan salinan, dan berikan kepada yang memerlukan.",),
    ),
    "document_sealed_anew": Wording(
        "Dokumen Anda disegel ulang",
        (
            "Penerbit: {issuer}. Kunci segel lamanya hilang, sehingga dokumen mendapat segel baru.",
            "Isinya tetap sama. Anda tidak perlu datang ke mana pun dan tidak dikenai biaya.",
        ),
        "Lihat dokumen saya",
        ("Kode QR pada kertas lama tetap bekerja: kode itu menunjuk ke dokumen baru.",),
    ),
    "trial": Wording(
        "Email percobaan",
        ("Email ini membuktikan bahwa pengaturan email bekerja. Tidak ada yang perlu dilakukan.",),
    ),
}
