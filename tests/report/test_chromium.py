"""The report in a real browser. Skipped where there is no Chromium or no playwright."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs playwright: pip install playwright")
from playwright.sync_api import Browser, Locator, Page, expect

from autoif.tokens import read_pictures
from autoif.tokens.shades import signed

WIDTHS = (1280, 800, 400)
Open = Callable[..., Page]
CONTRASTS = """() => {
  const box = document.querySelector(".text.tokens");
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const light = (...colours) => {
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const token = box.firstElementChild;
  const under = getComputedStyle(box).backgroundColor;
  return [..."pm"].flatMap((sign) => [...Array(11).keys()].map((level) => {
    token.className = `${sign}${level}`;
    const style = getComputedStyle(token);
    const [a, b] = [light(under, style.backgroundColor), light(style.color)];
    return Math.max(a, b) / Math.min(a, b);
  }));
}"""


@pytest.fixture
def open_report(chromium: Browser) -> Iterator[Open]:
    """Opens a run's report; at the end nothing may have been said on the console or asked of a network."""
    said: list[str] = []
    pages: list[Page] = []

    def open_report(run: Path, fragment: str = "", width: int = 1280, scheme: Any = "light") -> Page:
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None)
        page.goto(f"{(run / 'report.html').as_uri()}{fragment}")
        return page

    yield open_report
    for page in pages:
        page.close()
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_and_fits_the_window(open_report: Open, hostile: Path, width: int, scheme: str) -> None:
    page = open_report(hostile, width=width, scheme=scheme)
    for place in range(6):
        _unfold(page, place)
    expect(page.get_by_role("heading", level=1)).to_have_text("hostile")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 249, 246)"
    assert light == (scheme == "light")


def test_hostile_texts_run_nothing_and_are_shown(open_report: Open, hostile: Path) -> None:
    page = open_report(hostile)
    while page.locator("#next").is_visible():
        page.locator("#next").click()
    page.evaluate("document.querySelectorAll('details').forEach((entry) => (entry.open = true))")
    expect(page.locator(".body")).to_have_count(page.locator(".entry").count())
    assert page.evaluate("window.owned") is None
    assert page.evaluate("({}).polluted") is None
    for place in range(page.locator(".text.tokens").first.locator("span").count()):
        page.locator(".text.tokens").first.locator("span").nth(place).dispatch_event("click")
    assert page.evaluate("window.owned") is None
    inserted = "#entries img, #entries script, #samples img, #samples script, #tokens img, #tokens script, base"
    assert page.locator(inserted).count() == 0
    expect(page.get_by_text("<script>window.owned = 1</script>").first).to_be_visible()


def test_every_outcome_shows_as_many_as_it_says(open_report: Open, plain: Path) -> None:
    page = open_report(plain)
    options = page.locator("#outcome option").all()
    for value, text in [(o.get_attribute("value") or "", o.inner_text()) for o in options[1:]]:
        page.select_option("#outcome", value)
        number = int(text.rpartition("(")[2].split()[0].strip(")"))
        expect(page.locator("#found")).to_have_text(f"{number} of {len(_entries(page))} entries")
        expect(page.locator("#entries .entry")).to_have_count(min(number, 20))


def test_filters_work_together_and_clear(open_report: Open, plain: Path) -> None:
    page = open_report(plain)
    entries = _entries(page)
    page.select_option("#origin", "seed")
    page.select_option("#split", "train")
    wanted = [e for e in entries if e.get("origin") == "seed" and e.get("split") == "train"]
    assert 0 < len(wanted) < len(entries)
    expect(page.locator("#found")).to_have_text(f"{len(wanted)} of {len(entries)} entries")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#found")).to_have_text(f"{len(entries)} of {len(entries)} entries")


def test_confidence_is_a_filter_by_bands(open_report: Open, plain: Path) -> None:
    page = open_report(plain)
    verified = [json.loads(line) for line in (plain / "04_crosscheck/records.jsonl").read_bytes().splitlines()]
    for band, least, most in (("100%", 1, 1), ("95 to 99%", 0.95, 0.99), ("below 75%", 0, 0.74)):
        page.select_option("#sure", band)
        number = sum(least <= record["confidence"] <= most for record in verified)
        expect(page.locator("#found")).to_have_text(f"{number} of {len(_entries(page))} entries")
    page.locator(".entry summary").first.click()
    expect(page.locator(".entry .why").first).to_contain_text("Confidence that a label is right: 50%.")


def test_a_token_tells_its_numbers_to_the_pointer(open_report: Open, plain: Path) -> None:
    page = open_report(plain, "#tokens")
    answer = page.locator(".picture .answer").first
    expect(answer.locator(".told")).to_have_text("Point at a token for its numbers.")
    token = answer.locator(".tokens > span").nth(3)
    token.hover()
    picture = next(read_pictures(plain / "09_evaluate/tokens/pictures.jsonl"))
    read = picture.answers[0].comparison.spans[3].tokens[0]
    expect(answer.locator("caption")).to_have_text(f"␣{read.text.strip()} {signed(read.difference, 3)}")
    cells = answer.locator(".told tbody tr").first.locator("th, td")
    expect(cells).to_have_text(
        ["policy", signed(read.policy.logprob, 3), "1", re.compile("␣rain −1.50⟨F0⟩ −3.00↵ −4.00$")]
    )
    page.mouse.move(0, 0)
    expect(answer.locator("caption")).to_have_count(1)


def test_a_character_of_two_tokens_tells_both(open_report: Open, plain: Path) -> None:
    page = open_report(plain, "#tokens", width=400)
    answer = page.locator(".picture .answer").first
    answer.locator(".tokens > span", has_text="🙂").click()
    expect(answer.locator(".told table")).to_have_count(2)


def test_tokens_are_read_by_keyboard_alone(open_report: Open, plain: Path) -> None:
    page = open_report(plain, "#tokens")
    box = page.locator(".text.tokens").first
    page.locator(".picture summary").first.focus()
    page.keyboard.press("Tab")
    expect(box).to_be_focused()
    for key, place in (("ArrowRight", 1), ("End", 37), ("ArrowRight", 37), ("ArrowUp", 27), ("Home", 0)):
        page.keyboard.press(key)
        chosen = box.locator("[aria-selected=true]")
        expect(chosen).to_have_count(1)
        expect(box).to_have_attribute("aria-activedescendant", f"t0-0-{place}")
        assert re.fullmatch(r".+ [+−]?\d\.\d\d", chosen.get_attribute("aria-label") or "")
        expect(page.locator(".told").first.locator("caption")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.locator(".text.tokens").nth(1)).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_shade_can_be_read(open_report: Open, plain: Path, scheme: str) -> None:
    page = open_report(plain, scheme=scheme)
    for contrast in page.evaluate(CONTRASTS):
        assert contrast >= 4.5


def test_a_reason_in_the_funnel_leads_to_its_examples(open_report: Open, plain: Path) -> None:
    page = open_report(plain)
    page.get_by_role("link", name="one polarity").click()
    expect(page.locator("#outcome")).to_have_value("crosscheck/one_polarity")
    expect(page.locator("#meaning")).to_contain_text("they show nothing")
    expect(page.locator("#browse")).to_be_in_viewport()
    page.go_back()
    page.get_by_role("link", name="near duplicate").click()
    expect(page.locator("#entries .tag.bad").first).to_have_text("near duplicate")


@pytest.mark.parametrize("words", ["(question 53)", "LISBON water", "endswith", "which bread", "no such words"])
def test_search_finds_every_entry_that_has_all_the_words(open_report: Open, plain: Path, words: str) -> None:
    page = open_report(plain)
    page.get_by_label("Search").fill(words)
    texts = [json.dumps(entry, ensure_ascii=False).lower() for entry in _entries(page)]
    number = sum(all(word in text for word in words.lower().split()) for text in texts)
    expect(page.locator("#found")).to_have_text(f"{number} of {len(texts)} entries")


def test_searched_words_are_coloured_also_in_what_is_opened_later(open_report: Open, plain: Path) -> None:
    page = open_report(plain, "#browse?outcome=kept/pairs")
    page.get_by_label("Search").fill("evaluate lisbon")
    texts = [json.dumps(entry).lower() for entry in _entries(page) if entry["outcome"] == "kept/pairs"]
    number = sum("lisbon" in text for text in texts)
    expect(page.locator("#found")).to_contain_text(f"{number} of")
    _unfold(page)
    number = page.locator(".entry .py-f", has_text="evaluate").count()
    assert number > 0
    page.wait_for_function("number => CSS.highlights.get('found').size >= number", arg=number)


def test_cells_of_the_matrix_are_the_verdicts_of_the_run(open_report: Open, plain: Path) -> None:
    page = open_report(plain)
    signs = {"TRUE": "✓", "FALSE": "✗", "ERROR": "!", "TIMEOUT": "…"}
    scored = [json.loads(line) for line in (plain / "06_scores/records.jsonl").read_bytes().splitlines()]
    page.select_option("#outcome", "kept/pairs")
    for place in range(3):
        entry = _unfold(page, place)
        texts = [box.text_content() for box in entry.locator("[id*='-a'] > .text").all()]
        columns = [next(s["verdicts"] for s in scored if s["completion"]["text"] == text) for text in texts]
        for v, row in enumerate(entry.locator(".matrix tbody tr").all()):
            cells = [cell.text_content() for cell in row.locator(".v > [aria-hidden]").all()]
            assert cells == [signs[column[v]] for column in columns]


def test_the_matrix_of_dropped_candidates_marks_what_the_test_cases_deny(open_report: Open, plain: Path) -> None:
    page = open_report(plain, "#browse?outcome=crosscheck/below_threshold")
    entry = next(e for e in _entries(page) if e["outcome"] == "crosscheck/below_threshold")
    for v, row in enumerate(_unfold(page).locator(".matrix tbody tr:not(.expected)").all()):
        wrong = [case["verdicts"][v] == ("F" if case["follows"] else "T") for case in entry["cases"]]
        assert ["wrong" in (cell.get_attribute("class") or "") for cell in row.locator("td").all()] == wrong


def test_it_can_be_used_by_keyboard_alone(open_report: Open, plain: Path) -> None:
    page = open_report(plain)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the report")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("lisbon")
    texts = [json.dumps(entry).lower() for entry in _entries(page)]
    number = sum("lisbon" in text for text in texts)
    expect(page.locator("#found")).to_have_text(f"{number} of {len(texts)} entries")
    for _ in range(7):
        page.keyboard.press("Tab")
    expect(page.locator(".entry summary").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".entry").first.locator(".body")).to_be_visible()


def test_showing_more_moves_on_to_the_first_new_entry(open_report: Open, plain: Path) -> None:
    page = open_report(plain)
    page.locator("#next").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".entry")).to_have_count(40)
    expect(page.locator(".entry summary").nth(20)).to_be_focused()


def test_a_curve_tells_its_value_at_the_pointer(open_report: Open, plain: Path) -> None:
    page = open_report(plain)
    key = page.locator(".curves .key b").first
    whole = key.inner_text()
    page.locator(".curves > svg").first.hover(position={"x": 100, "y": 60})
    expect(key).to_have_text(re.compile(r"^0\.\d+ at step \d+$"))
    page.mouse.move(0, 0)
    expect(key).to_have_text(whole)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light")])
def test_axe_finds_no_barrier(open_report: Open, plain: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    page = open_report(plain, width=width, scheme=scheme)
    for outcome in ("kept/pairs", "crosscheck/one_polarity", "queries/too_short"):
        page.select_option("#outcome", outcome)
        _unfold(page)
        found = axe.Axe().run(page).response["violations"]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in found] == []


def _entries(page: Page) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = page.evaluate("data.entries")
    return entries


def _unfold(page: Page, place: int = 0) -> Locator:
    """An entry of the browser, opened; what is in it is written only after the click."""
    entry = page.locator(".entry").nth(place)
    entry.locator("summary").click()
    expect(entry.locator(".body")).to_be_visible()
    return entry
