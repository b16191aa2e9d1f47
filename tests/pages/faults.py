"""What is wrong with a page, measured in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_MEASURE = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_RING = """
() => {
  const element = document.activeElement, style = getComputedStyle(element);
  const html = element.outerHTML.slice(0, 80);
  return { html, width: parseFloat(style.outlineWidth), line: style.outlineStyle };
}
"""


def faults_of(page: Any) -> list[str]:
    """Empty: none was found."""
    found: list[str] = page.evaluate(_MEASURE)
    return found


def without_focus_ring(page: Any) -> list[str]:
    """Elements that the Tab key reaches and that do not show it."""
    found = []
    for _ in range(page.locator("a:visible, button:visible, input:visible, summary:visible").count()):
        page.keyboard.press("Tab")
        ring = page.evaluate(_RING)
        if ring["line"] == "none" or ring["width"] < 2:
            found.append(ring["html"])
    return found
