"""English."""

from __future__ import annotations

from typing import Final

from identity.mail.words.wording import Wording

FRAME: Final[dict[str, str]] = {
    "greeting": "Hello,",
    "or_open": "If the button does not work, copy this address into your browser:",
    "automatic": "This email was sent by {site} automatically. There is no need to answer.",
    "caution": "Officers never ask for your password or a code. Our only address is {site}.",
}

_NOT_YOU = "If it was not you, open the link above and secure your account now."
_IGNORE = "If you did not ask for this, ignore this email. Nothing has changed."

WORDINGS: Final[dict[str, Wording]] = {
    "registration": Wording(
        "Confirm your email address",
        ("Somebody would like to open an account with this email address.", "Your code: {code}"),
        "Confirm and go on",
        ("The code works once and for a limited time.", _IGNORE),
    ),
    "registration_known": Wording(
        "Your email address is registered already",
        (
            "Somebody tried to open an account with this email address, but you have one already.",
            "If it was you: log in as always. If you forgot the password, choose recovery on the login page.",
        ),
        "Log in",
        ("If it was not you, ignore this email. They were not told that you have an account.",),
    ),
    "activation": Wording(
        "Activate your account",
        ("An officer opened an account for you after checking your identity.", "Activation code: {code}"),
        "Activate the account",
        (
            "The code works once and for a limited time. Give it to nobody.",
            "If you never were at a counter, report it to an officer.",
        ),
    ),
    "account_ready": Wording(
        "Your account is ready",
        ("Your account is active. You can log in to every connected service.",),
        "Log in",
    ),
    "account_suspended": Wording(
        "Your account is suspended",
        (
            "Your account is suspended and every device was logged out.",
            "Go to a counter or ask the help desk for the reason.",
        ),
    ),
    "account_resumed": Wording(
        "Your account can be used again",
        ("The suspension of your account was lifted.",),
        "Log in",
    ),
    "proofing_raised": Wording(
        "Your identity has been checked",
        ("It is now on record who your account belongs to.",),
        "See my account",
        (_NOT_YOU,),
    ),
    "proofing_lost": Wording(
        "Your identity has to be checked again",
        (
            "The check of your identity no longer counts: its NIK was checked for another account.",
            "If you think that this is wrong, go to a counter with your identity card.",
        ),
        "See my account",
    ),
    "nik_tried_elsewhere": Wording(
        "Your NIK was tried in another account",
        (
            "Somebody tried to use your NIK in another account. It was refused.",
            "If it was not you, there is nothing to do. If it happens again, report it to an officer.",
        ),
        "See my account",
    ),
    "email_change": Wording(
        "Confirm the new email address",
        ("This address was chosen as the new email address of an account.", "Your code: {code}"),
        "Confirm the address",
        ("The code works once and for a limited time.", _IGNORE),
    ),
    "email_change_known": Wording(
        "Your email address was chosen for another account",
        (
            "Somebody would like to use this address for their account, but it is your account's already.",
            "Nothing has changed, and there is nothing to do.",
        ),
    ),
    "email_change_notice": Wording(
        "Your account's email address is about to change",
        ("Somebody who is logged in to your account asked for another email address.",),
        "See my account",
        (_NOT_YOU,),
    ),
    "email_changed": Wording(
        "Your account's email address has changed",
        (
            "Your account has another email address now.",
            "If it was not you who changed it, open this link before {until}. Your account gets this address "
            "back, and every device is logged out.",
        ),
        "It was not me, give me my account back",
        ("If it was you, there is nothing to do. Later emails go to the new address.",),
    ),
    "email_reverted": Wording(
        "Your account has its earlier email address again",
        (
            "Somebody who reads the earlier email address of your account said that they did not change it.",
            "That address counts again; this one does not.",
            "If you did change it, and somebody else reads your earlier email, contact the help desk today.",
        ),
    ),
    "factor_added": Wording(
        "A new way to log in was added",
        ("A new way to log in was added to your account: {factor}.", "Time: {when}"),
        "See ways to log in",
        (_NOT_YOU,),
    ),
    "factor_removed": Wording(
        "A way to log in was removed",
        ("This way to log in was removed from your account: {factor}.", "Time: {when}"),
        "See ways to log in",
        (_NOT_YOU,),
    ),
    "password_changed": Wording(
        "Your password was changed",
        ("The password of your account was changed, and every device was logged out.", "Time: {when}"),
        "See ways to log in",
        (_NOT_YOU,),
    ),
    "recovery_codes_renewed": Wording(
        "New recovery codes were made",
        ("New recovery codes were made for your account. The old ones no longer work.", "Time: {when}"),
        "See ways to log in",
        (_NOT_YOU,),
    ),
    "recovery_code_used": Wording(
        "A recovery code was used",
        ("A recovery code was used on your account. Codes left: {left}.", "Time: {when}"),
        "See ways to log in",
        (_NOT_YOU,),
    ),
    "passkey_suspected": Wording(
        "Your passkey may have been copied",
        (
            "Somebody tried to log in with a copy of this: {factor}. We refused it.",
            "Time: {when}",
            "Remove that passkey, then register your device again.",
        ),
        "See ways to log in",
        (_NOT_YOU,),
    ),
    "new_device": Wording(
        "Login from a new device",
        (
            "Somebody logged in to your account on a device that it does not know.",
            "Device: {device}",
            "Place: {place}",
            "Time: {when}",
            "If it was you, there is nothing to do.",
        ),
        "This was not me",
        ("The button logs out every device and helps you to secure your account.",),
    ),
    "not_me": Wording(
        "Your account was secured",
        (
            "You reported that somebody else logged in to your account. Every device was logged out.",
            "The way they used to log in, and every way to log in that was added since then, were removed.",
            "Time: {when}",
            "Now recover your account with the button below and choose a new password.",
        ),
        "Recover the account",
        (
            "Then look at your ways to log in. What you added yourself since then has to be added again.",
            "Change the password of your mailbox too, if somebody else may know it.",
        ),
    ),
    "recovery_started": Wording(
        "Recovery of your account began",
        (
            "Somebody asked to recover your account because a way to log in was lost.",
            "Device: {device}",
            "Place: {place}",
            "It can be finished after {until}, not before. Until then you can cancel it.",
        ),
        "Cancel the recovery",
        ("If it was you, just wait. We write again when it is time.",),
    ),
    "recovery_code": Wording(
        "Code to recover your account",
        ("You asked to recover your account. Your code: {code}",),
        "Go on with the recovery",
        ("The code works once and for a limited time.", _IGNORE),
    ),
    "recovery_cancelled": Wording(
        "The recovery was cancelled",
        ("The recovery of your account was cancelled. Your ways to log in are as before.", "Time: {when}"),
        "See my account",
    ),
    "recovery_ready": Wording(
        "The recovery can be finished",
        ("The waiting time of your account's recovery is over.", "Finish it before {until}."),
        "Finish the recovery",
        ("If you did not ask for it, log in to your account now and cancel it.",),
    ),
    "recovery_done": Wording(
        "Your account was recovered",
        (
            "Ways to log in to your account were replaced by recovery. Every old device was logged out.",
            "Time: {when}",
        ),
        "See ways to log in",
        ("If it was not you, contact the help desk today.",),
    ),
    "role_proposed": Wording(
        "A role for you waits for a confirmation",
        (
            "You were proposed for this role: {role}.",
            "Time: {when}",
            "It is not in force yet. Somebody else has to confirm it first.",
            "Add a passkey to your account if you have none: without it the role cannot be confirmed.",
        ),
        "See ways to log in",
        ("If you do not know about this role, ask your superior or the help desk.",),
    ),
    "role_confirmed": Wording(
        "Your role is in force",
        (
            "From now on you hold this role: {role}.",
            "Time: {when}",
            "To work in it, log in with a passkey. No other way is enough for operators.",
        ),
        "See my account",
        ("If you do not know about this role, contact the help desk today.",),
    ),
    "role_ended": Wording(
        "Your role has ended",
        (
            "You no longer hold this role: {role}.",
            "Time: {when}",
            "Your own account and your documents stay as they are.",
        ),
        "See my account",
        ("If you think that this is wrong, ask your superior or the help desk.",),
    ),
    "privacy_received": Wording(
        "We received your privacy request",
        (
            "We have noted your request about your personal data.",
            "We answer by {deadline} at the latest.",
        ),
        "See the request",
        (_NOT_YOU,),
    ),
    "privacy_answered": Wording(
        "Your privacy request was answered",
        ("Your request about your personal data was answered.",),
        "See the answer",
    ),
    "account_erased": Wording(
        "Your account was erased",
        (
            "As you asked, we erased your account and your personal data.",
            "Documents that were issued stay valid and can still be verified.",
        ),
    ),
    "consent_given": Wording(
        "You gave a portal a permission",
        ("You allowed {portal} to receive data from your account.", "Time: {when}"),
        "See or withdraw permissions",
        (_NOT_YOU,),
    ),
    "system_proposed": Wording(
        "A change to a system of your agency waits for confirmation",
        (
            "Agency: {agency}. System: {system}.",
            "An administrator proposed that this system may do more. Nothing has changed yet.",
            "Somebody other than who proposed it has to compare its keys and confirm it by {until}.",
        ),
        "See the proposal",
        ("If it was proposed in your name and you know nothing of it, withdraw it there and report it now.",),
    ),
    "system_confirmed": Wording(
        "A change to a system of your agency takes effect",
        (
            "Agency: {agency}. System: {system}.",
            "A second person confirmed what was proposed.",
            "Time: {when}",
        ),
        "See what was confirmed",
        ("If this should not have happened, disable the system and report it now.",),
    ),
    "system_changed": Wording(
        "The operator of the service changed a system of your agency",
        (
            "Agency: {agency}. System: {system}.",
            "It was registered, or its keys or scopes were changed, by the service's own administration.",
            "Time: {when}",
        ),
        "See the agency's systems",
        ("If nobody told you about this, stop the system there and ask the operator of the service.",),
    ),
    "key_request_waits": Wording(
        "A request about keys waits for you",
        (
            "What is asked for: {act}.",
            "It waits until {until}. Look at it, find out from whoever asked why it is needed, and decide.",
        ),
        "See the request",
        ("Never approve because a mail or a caller asks you to. What counts is what the page shows.",),
    ),
    "key_request_approved": Wording(
        "A request about keys has enough approvals",
        ("What was asked for: {act}.", "Enough custodians approved it. It will be carried out."),
        "See the request",
        ("If you know nothing of this, or approved something else, report it now.",),
    ),
    "key_request_rejected": Wording(
        "A request about keys was rejected",
        ("What was asked for: {act}.", "So many custodians rejected it that it will not be carried out."),
        "See the request",
    ),
    "key_request_cancelled": Wording(
        "A request about keys was called off",
        (
            "What was asked for: {act}.",
            "It was approved, waited for a certificate, and was called off. The new key is destroyed; the "
            "key before it stays in use.",
        ),
        "See who called it off, and why",
        ("If it is still needed, it has to be asked for anew.",),
    ),
    "unit_distrusted": Wording(
        "A time-stamping unit is not believed any more",
        (
            "A unit of others: {unit}. Its certificate's digest: {code}.",
            "One person who runs the service said so, because its key was lost or its time was wrong.",
            "Documents that it stamped get a time-stamp from another unit.",
        ),
        "See the acts on keys",
        ("If that was a mistake, ask for it to be believed again; custodians have to agree to that.",),
    ),
    "seal_lost": Wording(
        "A key that seals your agency's documents was lost",
        (
            "Agency: {agency}. Documents to be replaced: {count}.",
            "Somebody else may have had the key since {since}. It is stopped and revoked.",
            "What was sealed before, provably, stays valid. The service seals the others anew by itself, "
            "with the same content; the old seal ID leads to the new document.",
        ),
        "Open your agency's page",
        (
            "Look through what was issued since then. Revoke at once what your agency did not issue.",
            "Tell people to check documents on the verification page, and not to throw away what they hold.",
        ),
    ),
    "seal_renewed": Wording(
        "Your agency's documents are sealed anew",
        (
            "Agency: {agency}. Documents sealed anew: {count}.",
            "Finished: {when}. Whoever checks an old one is led to the new one.",
        ),
        "Open your agency's page",
        ("Fetch the new files if your systems keep copies, and hand them to those who ask.",),
    ),
    "document_sealed_anew": Wording(
        "A document of yours was sealed anew",
        (
            "Issuer: {issuer}. The key of the old seal was lost, so the document got a new one.",
            "Its content is the same. You need not go anywhere and there is nothing to pay.",
        ),
        "See my documents",
        ("The QR code on the old paper still works: it leads to the new document.",),
    ),
    "trial": Wording(
        "An email to try things out",
        ("This email proves that the mail settings work. There is nothing to do.",),
    ),
}
