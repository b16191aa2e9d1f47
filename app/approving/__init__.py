"""Approving acts on keys, as people meet it: the words for what is asked, and ``/custody``, its pages."""
