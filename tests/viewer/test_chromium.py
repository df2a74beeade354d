"""The pages in a real browser. Skipped where there is no Chromium or no playwright."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs playwright: pip install playwright")
from fake_run import write_run
from playwright.sync_api import Browser, Page, expect
from real_site import Site

from autoif.records import Drop, Outcome, Query, Usage
from autoif.store import Journal, Stage

Open = Callable[..., Page]
Serve = Callable[[Path], Site]


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Open]:
    """Opens an address; at the end nothing may have been said on the console or asked of another server."""
    said: list[str] = []
    pages: list[Page] = []

    def browse(url: str, width: int = 1280, scheme: Any = "light") -> Page:
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(("http://127.0.0.1:", "data:,")) else said.append(r.url))
        page.clock.install()
        page.goto(url)
        return page

    yield browse
    for page in pages:
        page.close()
    assert said == []


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("attacked") / "run", queries=16, samples=4, hostile=True)


PATHS = ("/", "/scores", "/crosscheck/dropped", "/crosscheck?find=evaluate&split=train", "/nope")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_pages_fit_the_window_run_nothing_and_have_no_barrier(
    serve: Serve, chromium: Browser, attacked: Path, width: int, scheme: Any
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    site = serve(attacked)
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    links = [next(iter(site.page(path).cards)) for path in ("/queries", "/pairs", "/crosscheck/dropped")]
    for path in (*PATHS, *links):
        page.goto(site.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        assert page.evaluate("window.owned") is None
        assert page.locator("main img, main script, base").count() == 0
        light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 249, 246)"
        assert light == (scheme == "light")
        found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "best-practice"]}).response["violations"]
        assert [(path, v["id"], [n["html"][:200] for n in v["nodes"]][:3]) for v in found] == []
    page.close()


def test_from_the_funnel_to_a_drop_and_to_what_it_was_made_for(browse: Open, site: Site) -> None:
    page = browse(site.url)
    page.get_by_role("link", name="near duplicate").click()
    expect(page.locator(".listed")).to_have_count(3)
    expect(page.locator("#meaning")).to_contain_text("Nearly the words")
    page.locator(".listed a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Near duplicate")
    page.get_by_role("link", name="What it was made for").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Query")


def test_pages_are_turned_and_jumped_to(browse: Open, site: Site) -> None:
    page = browse(f"{site.url}/scores")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#found")).to_contain_text("51 to 100 of")
    page.get_by_label("Page", exact=True).fill("5")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("201 to 250 of")
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("#found")).to_contain_text("151 to 200 of")


def test_filters_and_search_by_keyboard(browse: Open, site: Site) -> None:
    page = browse(f"{site.url}/crosscheck")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.get_by_label("Split").select_option("train")
    page.get_by_label("Search").press_sequentially("lisbon")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("found. Scanned")
    expect(page.get_by_label("Split")).to_have_value("train")
    expect(page.locator(".listed mark").first).to_have_text("Lisbon")
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#found")).to_contain_text("1 to 50 of 60")


def test_the_record_that_was_chosen_is_in_sight(browse: Open, site: Site) -> None:
    page = browse(f"{site.url}/pairs?page=2")
    page.locator(".listed a").nth(7).click()
    expect(page.locator("article.asked")).to_be_in_viewport()


def query(number: int) -> Query:
    return Query.make(text=f"query {number}", source="here")


def test_counts_go_on_and_the_reader_stays_where_he_is(browse: Open, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    journal = Journal(Stage(tmp_path / "01_queries", Query))

    def add(*units: int) -> None:
        for unit in units:
            journal.append(Outcome(unit, (query(unit),), (Drop("too_short", {"text": "x"}),), Usage()))

    add(*range(1, 20))
    site = serve(tmp_path)
    funnel, listed = browse(site.url), browse(f"{site.url}/queries")
    listed.locator(".listed a").nth(12).focus()
    place = listed.evaluate("scrollY")
    assert place > 0
    add(0, *range(20, 70))
    for page in (funnel, listed):
        page.clock.fast_forward(3_000)
    expect(funnel.locator("#counts")).to_contain_text("70 kept")
    expect(funnel.get_by_role("link", name="too short")).to_contain_text("70")
    expect(listed.locator("#found")).to_have_text("1 to 50 of 70")
    expect(listed.locator(".listed")).to_have_count(50)
    expect(listed.get_by_role("link", name="Next")).to_be_visible()
    expect(listed.locator(".listed a").nth(12)).to_be_focused()
    assert listed.evaluate("scrollY") == place
    expect(listed.locator("#moved")).to_be_hidden()
    journal.seal()
    listed.clock.fast_forward(3_000)
    expect(listed.locator("#moved")).to_be_visible()
    expect(listed.locator(".listed a").first).to_have_text("query 1")
    listed.get_by_role("link", name="Show them anew").click()
    expect(listed.locator(".listed a").first).to_have_text("query 0")


def test_highlighted_functions_are_what_was_written(browse: Open, site: Site, plain: Path) -> None:
    page = browse(site.url + site.page("/crosscheck").cards[0])
    expect(page.locator(".py-f").first).to_have_text("evaluate")
    verifiers = json.loads((plain / "04_crosscheck/records.jsonl").read_bytes().splitlines()[0])["verifiers"]
    shown = [box.text_content() for box in page.locator("#family > .pieces code").all()]
    assert shown == [verifier["source"] for verifier in verifiers]
