"""Private keys in a PKCS #11 token: an HSM, or SoftHSM2.

- :mod:`~keys.stores.pkcs11.module` loads the maker's library, once per process, ready for threads.
- :mod:`~keys.stores.pkcs11.token` logs in, lends sessions, and comes back when the token does.
- :mod:`~keys.stores.pkcs11.objects` says what a key in the token must be, and reads it back.
- :mod:`~keys.stores.pkcs11.store` is the :class:`keys.ports.KeyStore`.
"""
