"""Verification runs where there is no key: nothing in it reaches the custody of keys."""

from __future__ import annotations

import subprocess
import sys

from tests.support.needs import ROOT


def test_importing_all_of_verification_never_imports_keys() -> None:
    code = (
        "import pkgutil, sys, importlib, verify\n"
        "for module in pkgutil.walk_packages(verify.__path__, 'verify.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in {'keys', 'app', 'identity'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_server_that_answers_never_loads_the_parser_of_strangers_files() -> None:
    code = "import sys, app.public; print('verify.any_shape' in sys.modules, 'pyhanko' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
