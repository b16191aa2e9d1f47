"""Collected only when named: see ``test_a_missing_tool_skips_and_fails_when_everything_is_required``."""

from tests.support.needs import requires


@requires("qpdf")
def test_never_runs_without_qpdf() -> None:
    raise AssertionError("qpdf was found where it should not be")
