"""A key was lost: it is stopped, revoked, and what it sealed is sorted and sealed anew.

Here because it joins what the slices keep apart: custody, certificates, documents, people. Read
:mod:`app.compromise.model` for the steps and their order, :mod:`app.compromise.service` for what they do.
"""
