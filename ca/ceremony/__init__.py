"""Scripted, witnessed acts on a root that is kept offline, on a machine of its own: no network, no database.

script.py    what is going to happen, as people review it      (pure)
home.py      the machine's own keys and register, as files
acts.py      what each step does to them
conduct.py   rehearse everything, then do it step by step, each confirmed by those whom the script names
transcript.py  what happened, signed, and how anybody checks that (pure)
"""
