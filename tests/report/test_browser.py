"""The page in a real browser: on a phone and on a desktop, in light and in dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgegap.report.report import report, write_report

from .browser import Browser, browser
from .bundles import full_bundle, make_bundle, record

MISSING = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"no {' and no '.join(MISSING)}: apt install chromium chromium-driver"
)

LONG = "a-class-with-a-very-long-name-" * 4

# Contrast as WCAG 2.1 defines it, of every element that has text of its own, on what lies behind it.
CONTRAST = """
const rgb = colour => colour.match(/[\\d.]+/g).map(Number);
const luminance = colour => {
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = rgb(colour).slice(0, 3).map(v => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if ((rgb(colour)[3] ?? 1) === 1) return colour;
  }
  return 'rgb(255, 255, 255)';
};
const found = [];
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
  if (!own) continue;
  const style = getComputedStyle(element);
  const [a, b] = [luminance(element.closest('svg') ? style.fill : style.color), luminance(behind(element))];
  found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.trim().slice(0, 40)]);
}
return found;
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as session:
        yield session


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything that may be too wide: two bundles, long names, pictures, plots, tables, commands."""
    folder = tmp_path_factory.mktemp("page")
    check = record("check")
    check["per_class"][0]["name"] = check["confusions"][0]["label"] = check["layers"]["rows"][0]["module"] = LONG
    check["commands"] = [f"edgegap check {LONG} --data {LONG}"]
    bundles = [
        full_bundle(folder / "digits"),
        make_bundle(folder / LONG[:60], [check], benches=[record("bench")], model=LONG),
    ]
    write_report(folder / "report.html", report(bundles, "html"))
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_a_page_fits_and_is_readable_and_asks_for_nothing(
    chromium: Browser, page: Path, width: int, scheme: str
) -> None:
    chromium.open(page, width, scheme)
    assert chromium.run("return innerWidth") == width
    assert chromium.run("return document.documentElement.scrollWidth") <= width
    assert chromium.run("return [...document.images].every(i => i.complete && i.naturalWidth > 0 && i.alt)")
    faint = [(round(ratio, 2), text) for ratio, text in chromium.run(CONTRAST) if ratio < 4.5]
    assert not faint
    assert not chromium.logs("browser")
    asked = [address for address in chromium.requests() if not address.startswith("data:")]
    assert asked == [page.as_uri()]


def test_the_colour_scheme_is_the_readers(chromium: Browser, page: Path) -> None:
    shades = []
    for scheme in ("light", "dark"):
        chromium.open(page, 360, scheme)
        shades.append(chromium.run("return getComputedStyle(document.body).backgroundColor"))
    assert shades == ["rgb(255, 255, 255)", "rgb(20, 24, 28)"]


def test_text_in_plots_is_as_large_as_text_should_be_on_a_phone(chromium: Browser, page: Path) -> None:
    chromium.open(page, 360, "light")
    script = "return [...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)"
    heights = chromium.run(script)
    assert heights
    assert min(heights) > 10


def test_the_first_tab_stop_leads_to_the_findings_and_every_wide_table_is_one(chromium: Browser, page: Path) -> None:
    chromium.open(page, 360, "light")
    stops = chromium.run("return [...document.querySelectorAll('a, [tabindex=\"0\"]')].map(e => e.className)")
    assert stops[0] == "skip"
    wide = "return [...document.querySelectorAll('body *')].filter(e => e.scrollWidth > e.clientWidth + 1 && "
    wide += "getComputedStyle(e).overflowX === 'auto').every(e => e.tabIndex === 0)"
    assert chromium.run(wide)
