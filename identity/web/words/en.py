"""English."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    # The frame
    "site_name": "Absah",
    "site_claim": "Your account",
    "skip": "Skip to the content",
    "language_switch": "Indonesia",
    "language_switch_label": "Ganti ke Bahasa Indonesia",
    "nav_account": "My account",
    "footer": "No officer will ever ask you for your password or a code.",
    "footer_privacy": "We set no trackers.",
    "for_portal": "To log in to",
    "back_to_portal": "Back to {portal}",
    "back_to_portal_text": "Without logging in. You can try again from there.",
    "optional": "(optional)",
    "error_title": "Error: {title}",
    "problems_heading": "Something needs to be corrected",
    # What can go wrong on any page
    "problem_text": "Nothing has changed in your account. Try again in a moment.",
    "problem_incident": "If it keeps failing, give this number to the help desk:",
    "problem_home": "Back to the start",
    "page_unknown_heading": "There is no such page",
    "refused_heading": "The form was not accepted",
    "unreadable_heading": "The form cannot be read",
    "refused_text": "To keep you safe, we did not use what you sent. The cause may be:",
    "refused_old": "the page was open for too long, or you logged in on another tab;",
    "refused_cookies": "your browser refuses cookies;",
    "refused_address": "the address is not the official one, which is:",
    "refused_again": "Open the page again",
    # Logging in
    "login_heading": "Log in",
    "identifier_label": "Email or NIK",
    "identifier_hint": "The NIK is the 16-digit number on your identity card.",
    "password_label": "Password",
    "login_submit": "Continue",
    "login_passkey_heading": "Log in without a password",
    "login_passkey_text": "Use this device's fingerprint, face or PIN, if you have registered it.",
    "login_passkey_submit": "Use a passkey",
    "login_other": "Other choices",
    "login_lost": "Cannot log in?",
    "login_lost_text": "Forgotten password, new phone, or lost phone.",
    "login_register": "Create an account",
    "login_register_text": "You have no account and were not at a counter.",
    "login_activate": "Activate an account from a counter",
    "login_activate_text": "An officer gave you a code on paper or by email.",
    "login_refused": "Email, NIK or password do not match. Check both and try again.",
    "identifier_missing": "Write your email address or NIK.",
    "password_missing": "Write your password.",
    "login_delayed": "Too many wrong tries. Try again in {wait}.",
    "login_busy": "Very many people are logging in. Try again in {wait}.",
    "account_suspended": "This account is suspended. Ask the help desk.",
    "half_gone": "The time to log in is over. Start again here.",
    "session_gone": "To keep you safe, you were logged out. Log in again.",
    # The second answer
    "second_heading": "One more step",
    "stepup_heading": "Confirm that it is you",
    "stepup_lead": "What you are about to do matters, so we ask once more.",
    "stepup_passkey_needed": "This needs a passkey, and your account has none yet.",
    "stepup_add_passkey": "Add a passkey",
    "totp_label": "6-digit code",
    "totp_hint": "Open the authenticator app on your phone. The code changes every 30 seconds.",
    "recovery_code_label": "Recovery code",
    "recovery_code_hint": "One of the codes that you printed or saved. Each code works once.",
    "answer_passkey_heading": "Use your device",
    "answer_passkey_text": (
        "Press the button, then use your fingerprint, face or PIN as when you unlock your phone."
    ),
    "answer_passkey_submit": "Continue with a passkey",
    "answer_other": "Other ways",
    "answer_with_totp": "Use a code from the authenticator app",
    "answer_with_passkey": "Use a passkey (fingerprint, face or PIN)",
    "answer_with_recovery_code": "Use a recovery code",
    "code_missing": "Write the code.",
    "answer_refused": "The code was not accepted. Wait for a new one and try again.",
    "recovery_code_refused": "This code was not accepted or was used before. Try another one.",
    "passkey_refused": (
        "This device was not accepted. Unlock it with its PIN, fingerprint or face and try again."
    ),
    "passkey_failed": "It was cancelled or took too long. Try again, or choose another way.",
    "passkey_unsupported": "This needs JavaScript and a newer browser. Choose another way below.",
    # Cannot log in
    "lost_heading": "Cannot log in?",
    "lost_lead": "Choose what fits.",
    "lost_password": "I forgot my password",
    "lost_password_text": "We send you an email, then you choose a new password.",
    "lost_phone_codes": "I do not have my phone, but I have recovery codes",
    "lost_phone_codes_text": "Log in as usual. At the second step choose “Use a recovery code”.",
    "lost_phone": "I lost everything",
    "lost_phone_text": "We help you step by step.",
    "lost_counter": "Would you rather be helped in person?",
    "lost_counter_text": "Come to a counter with your identity card. An officer gives you access again.",
    # A new account
    "register_heading": "Create an account",
    "register_lead": "It takes about 5 minutes. Have your phone and your email at hand.",
    "name_label": "Full name",
    "name_hint": "As on your identity card.",
    "email_label": "Email address",
    "email_hint": "We send a code to this address, for example siti@example.org.",
    "name_wrong": "Write your full name, at most 120 characters.",
    "email_wrong": "This email address is not complete. An example: siti@example.org.",
    "register_submit": "Send me a code",
    "register_kept": "Your data",
    "register_kept_text": (
        "We keep your name and email address for this account only. You can see, correct and delete "
        "them at any time."
    ),
    "register_have": "I have an account",
    "confirm_heading": "Open your email",
    "confirm_lead": "We have sent a code. Type it here, or press the link in the email.",
    "confirm_link_heading": "Confirm your email address",
    "mail_code_label": "Code from the email",
    "mail_code_hint": "16 letters and digits. Capital or small letters are both fine.",
    "confirm_submit": "Continue",
    "confirm_nothing": "No email yet?",
    "confirm_nothing_text": "Wait a few minutes and look in the spam folder. If nothing comes, start again.",
    "code_refused": "This code is wrong, was used before, or is too old. Check it, or ask for a new one.",
    "link_gone": "This link or code was used already or is too old. Ask for a new one.",
    "activate_heading": "Activate your account",
    "activate_lead": "Type the code that the officer gave you.",
    "activate_label": "Activation code",
    "activate_lost": "Lost the code?",
    "activate_lost_text": "Come back to the counter with your identity card. The officer makes a new one.",
    # Setting up
    "progress": "Step {step} of {of}",
    "next": "Continue",
    "start_again": "Start again",
    "other_way": "Use another way",
    "setup_password_heading": "Choose a password",
    "setup_password_lead": "Choose a password that only you know.",
    "new_password_label": "New password",
    "new_password_hint": (
        "At least 8 characters. Three or four words that do not belong together are easy to remember "
        "and hard to guess. Spaces are fine."
    ),
    "again_label": "Type it once more",
    "again_differs": "The two passwords differ. Type both again.",
    "password_short": "This password is too short: at least {least} characters, such as three words.",
    "password_long": "This password is too long: at most {most} characters.",
    "password_characters": (
        "One of the characters is not the same on all keyboards. Use letters, digits, spaces and "
        "common signs."
    ),
    "password_common": "This password is easy to guess. Use three or four words that do not belong together.",
    "password_breached": (
        "This password leaked from another site, so others know it. Use three or four words that do not "
        "belong together."
    ),
    "password_personal": "This password resembles your name or email address. Use other words.",
    "setup_second_heading": "Add a second lock",
    "setup_second_lead": "Then somebody who knows your password still cannot get in. Choose one way:",
    "setup_with_passkey": "This device's fingerprint, face or PIN",
    "setup_with_passkey_text": "Easiest and safest. It is called a passkey.",
    "setup_with_totp": "An authenticator app on a phone",
    "setup_with_totp_text": "A free app that shows a 6-digit code, even without internet.",
    "setup_passkey_heading": "Register this device",
    "setup_passkey_title": "Fingerprint, face or PIN",
    "setup_passkey_lead": "Your fingerprint and face never leave this device.",
    "setup_passkey_text": "Press the button and follow your device.",
    "setup_passkey_submit": "Register a passkey",
    "passkey_name_label": "Name of the device",
    "passkey_name_hint": "So that you recognise it later.",
    "passkey_exists": "This device is registered already.",
    "passkeys_many": "There are {most} passkeys already. Remove one first.",
    "setup_totp_heading": "Connect an authenticator app",
    "setup_totp_lead": "Three small steps, once only.",
    "totp_app_heading": "1. Install the app",
    "totp_app_text": (
        "Look for “authenticator” in your phone's app store, such as Google Authenticator, Microsoft "
        "Authenticator or Aegis. All are free."
    ),
    "totp_scan_heading": "2. Scan this code with the app",
    "totp_scan_text": "In the app, press the plus sign (+) and choose to scan a QR code.",
    "totp_qr_label": "QR code for the authenticator app; it holds the key that is written below.",
    "totp_same_phone": "Open the app on this phone",
    "totp_by_hand": "Cannot scan? Type this key into the app:",
    "totp_confirm_heading": "3. Type the code from the app",
    "totp_confirm_hint": "The 6 digits that the app shows now.",
    "totp_wrong": (
        "The app shows another code. Wait for the next one, and make sure that the phone sets its "
        "clock by itself."
    ),
    "totp_setup_gone": "The time is over. Scan this new code.",
    "codes_title": "Keep your recovery codes",
    "codes_lead": "If your phone is lost or broken, these codes are your way in.",
    "codes_heading": "Your recovery codes",
    "codes_text": "Each code works once. They are shown only now.",
    "codes_save": "Save as a file",
    "codes_print": (
        "Or print this page, or copy them on paper. Keep them in a safe place, away from your phone."
    ),
    "codes_kept": "I have kept the codes",
    "codes_not_kept": "Keep the codes first, then tick the box.",
    "codes_done": "Finish",
    "codes_file_name": "recovery-codes.txt",
    "codes_file_head": "Recovery codes of {host}, made {moment}. Each code works once. Give them to nobody.",
    "codes_show": "Show the recovery codes",
    "setup_over_heading": "The time is over",
    "setup_over_text": "To keep you safe, this set-up was closed. What you did so far is not lost.",
    "setup_over_step_1": "Did you register yourself? Do so again with the same address; we send a new code.",
    "setup_over_step_2": "Is the account from a counter? Ask the officer for a new code.",
    "email_confirmed_heading": "Your email address is confirmed",
    "email_confirmed_text": "From now on our notices go to this address.",
    "setup_done_heading": "Your account is ready",
    "setup_done_text": "From now on, log in the way you have just set up.",
    "setup_done_submit": "Continue",
    "factor_added": "The second lock was added.",
    "what_next": "What to do",
    # Getting back in
    "recovery_heading": "Recover your account",
    "recovery_lead": "We send a code to your account's email address.",
    "recovery_no_mail": "Can you no longer open that mailbox?",
    "recovery_nothing_text": (
        "Wait a few minutes and look in the spam folder. An email comes only if the address is registered."
    ),
    "recovery_submit": "Send a code",
    "recovery_confirm_heading": "Open your email",
    "recovery_confirm_lead": (
        "If there is such an account, we have sent a code to its email address. Type it here, or "
        "press the link in the email."
    ),
    "recovery_answer_heading": "One more proof",
    "recovery_answer_lead": "Email alone is not enough: somebody else might read it.",
    "recovery_none_heading": "Come to a counter",
    "recovery_none_text": "There is no other safe way to know that it is you.",
    "recovery_none_step_1": "Bring your identity card to a counter.",
    "recovery_none_step_2": "An officer gives you a code. With it you open your account again.",
    "recovery_waiting_heading": "Wait until {moment}",
    "recovery_waiting_text": "This wait protects you in case it was somebody else. We tell you by email.",
    "recovery_waiting_step_1": "After that, open the email from us and press its link.",
    "recovery_waiting_step_2": "Was it not you? Press “It was not me” in that email.",
    "recovery_resume_heading": "Go on with the recovery",
    "recovery_cancel_heading": "Cancel the recovery?",
    "recovery_cancel_text": "If it was not you who asked, cancel it. Your account stays as it was.",
    "recovery_cancel_not": "No, it was me",
    "recovery_cancel_submit": "Yes, cancel it",
    "recovery_cancelled_heading": "The recovery is cancelled",
    "recovery_cancelled_text": "Your account stays as it was.",
    "recovery_cancelled_step_1": "Change the password of your mailbox if you did not ask for a recovery.",
    "recovery_cancelled_step_2": "Log in and look at the list of devices in your account.",
    # Leaving
    "to_login": "To the login page",
    "logout_heading": "Log out",
    "logout_lead": "You will be logged out on this device.",
    "logout_submit": "Log out",
    "logout_stay": "Stay logged in",
    "logged_out_heading": "You are logged out",
    "logged_out_text": "On a shared device, close the browser too.",
    "login_again": "Log in again",
    # It was not me
    "not_me_heading": "Was it not you?",
    "not_me_text": (
        "If it was not you who logged in, press this button. Every device is logged out, and ways to log "
        "in that were added since then are removed."
    ),
    "not_me_submit": "It was not me, secure my account",
    "not_me_it_was": "It was me",
    "not_me_done_heading": "Your account is secured",
    "not_me_done_text": (
        "Every device was logged out. The way that they used to log in, and every way that was added since "
        "then, were removed."
    ),
    "not_me_done_step_1": "Choose a new password.",
    "not_me_done_step_2": (
        "Look at the ways to log in to your account. Those that you added yourself since then have to be "
        "added again."
    ),
    "not_me_done_step_3": "Change the password of your mailbox too, if somebody else may know it.",
    "not_me_new_password": "Choose a new password",
    "link_gone_heading": "This link is no longer valid",
}
