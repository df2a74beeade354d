// The browser of instructions: filters, search, and entries that are built when they are opened.
// Every text goes in by textContent, never as markup.
"use strict";

const PAGE = 20;
const FILTERS = ["outcome", "origin", "kind", "split", "sure"];
const FATES = { chosen: "▲ chosen", rejected: "▼ rejected", unused: "○ unused", waiting: "… waiting" };
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const name = (key) => data.names[key] ?? key;
const percent = (share) => `${Math.round(100 * share)}%`;
let found = [];
let shown = 0;

/** Makes an element: attributes by name, children as text or nodes. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== undefined && child !== ""));
  return node;
}

const text = (value, tag = "div") => make(tag, { class: "text", dir: "auto" }, value);
const tag = (value, kind = "") => make("span", { class: `tag ${kind}` }, value);

/** Python source with its runs of characters marked: "3k1t8f" is 3 of a keyword, 1 plain, 8 of a name. */
function code(source, spans) {
  const node = make("code");
  let at = 0;
  for (const [, size, kind] of spans.matchAll(/(\d+)([a-z])/g)) {
    const run = source.slice(at, (at += Number(size)));
    node.append(kind === "t" ? run : make("span", { class: `py-${kind}` }, run));
  }
  return make("pre", { class: "text" }, node);
}

/** One verdict as a cell, named for those who cannot see its colour. */
function cell(letter, row, column, wrong = false) {
  const [sign, meaning] = data.verdicts[letter] ?? data.verdicts.U;
  const about = `${row}, ${column}: ${meaning}${wrong ? "; the test case says the opposite" : ""}`;
  return make("td", { class: `v v-${letter}${wrong ? " wrong" : ""}`, title: about }, make("span", { "aria-hidden": "true" }, sign), make("span", { class: "hidden" }, meaning));
}

const judged = (items) => items.some((item) => item.verdicts);
const yes = (follows) => (follows ? "T" : "F");

/** Verifiers as rows, test cases and completions as columns. */
function matrix(entry, place) {
  const groups = [["Test cases", "c", entry.cases ?? []], ["Completions", "a", entry.completions ?? []]].filter(([, , items]) => judged(items));
  if (!groups.length) return "";
  const link = (kind, i) => make("a", { href: `#e${place}-${kind}${i + 1}` }, String(i + 1));
  const head = make("tr", {}, make("td"), ...groups.map(([title, , items]) => make("th", { colspan: items.length, scope: "colgroup" }, title)));
  const numbers = make("tr", {}, make("td"), ...groups.flatMap(([, kind, items]) => items.map((item, i) => make("th", { scope: "col", class: item.fate ?? "" }, link(kind, i), kind === "a" ? ` ${FATES[item.fate][0]}` : ""))));
  const expected = groups[0][1] === "c" ? [make("tr", { class: "expected" }, make("th", { scope: "row" }, "said to follow"), ...groups.flatMap(([, kind, items]) => items.map((item) => (kind === "c" ? make("td", {}, item.follows ? "yes" : "no") : make("td")))))] : [];
  const rows = entry.verifiers.map((_, v) => {
    const row = `verifier ${v + 1}`;
    const cells = groups.flatMap(([title, kind, items]) => items.map((item, i) => {
      const letter = item.verdicts[v] ?? "U";
      return cell(letter, row, `${title.slice(0, -1).toLowerCase()} ${i + 1}`, kind === "c" && "TF".includes(letter) && letter !== yes(item.follows));
    }));
    return make("tr", {}, make("th", { scope: "row" }, make("a", { href: `#e${place}-v${v + 1}` }, row)), ...cells);
  });
  const table = make("table", { class: "matrix" }, make("thead", {}, head, numbers), make("tbody", {}, ...expected, ...rows));
  return make("div", {}, make("h3", {}, "Verdicts"), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Verdicts" }, table), legend(groups));
}

function legend(groups) {
  const letters = new Set(groups.flatMap(([, , items]) => items.flatMap((item) => [...item.verdicts])));
  const wrong = groups[0][1] === "c" ? [make("span", {}, make("span", { class: "v wrong", "aria-hidden": "true" }, " "), "the test case says the opposite")] : [];
  const keys = Object.entries(data.verdicts).filter(([letter]) => letters.has(letter));
  return make("p", { class: "key" }, ...keys.map(([letter, [sign, meaning]]) => make("span", {}, make("span", { class: `v v-${letter}`, "aria-hidden": "true" }, sign), meaning)), ...wrong);
}

function verifiers(entry, place) {
  return (entry.verifiers ?? []).map((verifier, v) => make("div", { class: "piece", id: `e${place}-v${v + 1}` }, make("h4", {}, `Verifier ${v + 1} `, verifier.origin ? tag(name(verifier.origin)) : ""), code(verifier.code, verifier.spans)));
}

function cases(entry, place) {
  return (entry.cases ?? []).map((item, i) => make("div", { class: "piece", id: `e${place}-c${i + 1}` }, make("h4", {}, `Test case ${i + 1} `, tag(item.follows ? "✓ follows" : "✗ does not follow", yes(item.follows) === "T" ? "good" : "bad")), text(item.text || "(empty)")));
}

function completions(entry, place) {
  return (entry.completions ?? []).map((item, i) => make("div", { class: "piece", id: `e${place}-a${i + 1}` },
    make("h4", {}, `Completion ${i + 1} `, tag(FATES[item.fate], item.fate), make("span", { class: "small" }, ` ${item.rate === null ? "" : `pass rate ${percent(item.rate)} · `}${item.tokens} tokens`)),
    make("p", { class: "small" }, item.why, item.quality ? ` Quality ${item.quality}` : ""),
    item.query ? make("p", { class: "query", dir: "auto" }, item.query) : "",
    text(item.text)));
}

function part(title, pieces) {
  return pieces.length ? make("div", {}, make("h3", {}, title), make("div", { class: "pieces" }, ...pieces)) : "";
}

const titled = (title, value) => make("div", { class: "piece" }, make("h3", {}, title), text(value));

function body(entry, place) {
  const meaning = data.meanings[entry.outcome];
  return make("div", { class: "body" },
    make("div", { class: "pieces" },
      ...(entry.queries ?? []).map((query) => titled("Query", query)),
      entry.instruction !== undefined ? titled("Instruction", entry.instruction) : "",
      ...(entry.fields ?? []).map(([key, value]) => titled(key, value))),
    meaning || entry.why ? make("p", { class: "why" }, [meaning, entry.why, confidence(entry)].filter(Boolean).join(" ")) : "",
    matrix(entry, place),
    part("Verifiers", verifiers(entry, place)),
    part("Test cases", cases(entry, place)),
    part("Completions", completions(entry, place)),
    entry.more ? make("p", { class: "small" }, `${entry.more} more completions are not shown.`) : "");
}

const confidence = (entry) => (entry.confidence === undefined ? "" : `Confidence that a label is right: ${percent(entry.confidence)}.`);
const title = (entry) => entry.instruction ?? (entry.fields ?? []).map(([, value]) => value)[0] ?? "(nothing)";

function meanRate(entry) {
  const scored = (entry.completions ?? []).filter((item) => item.rate !== null);
  if (!scored.length) return "";
  return make("span", { class: "mean" }, `pass rate ${percent(scored.reduce((sum, item) => sum + item.rate, 0) / scored.length)}`);
}

/** Kind, origin and split, without what goes without saying. */
const labels = (entry) => [...new Set([entry.kind, entry.origin, entry.split])].filter((key) => key && key !== "train");

function card(entry, place) {
  const summary = make("summary", {},
    make("span", { class: "title", dir: "auto" }, title(entry).slice(0, 300)),
    make("span", { class: "query", dir: "auto" }, (entry.queries?.[0] ?? "").slice(0, 200)),
    make("span", { class: "tags" }, tag(name(entry.outcome), entry.outcome.startsWith("kept/") ? "good" : "bad"),
      ...labels(entry).map((key) => tag(name(key))), meanRate(entry)));
  const details = make("details", { class: "card entry" }, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) open(details, body(entry, place));
    mark();
  });
  return details;
}

/** Adds a body; text that is cut off at a height can then be scrolled by keyboard. */
function open(details, node) {
  details.append(node);
  for (const box of node.querySelectorAll(".text")) if (box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
}

/** All the words of an entry, in lower case, for the search. */
function words(entry) {
  const parts = [entry.id, entry.instruction, entry.why, ...(entry.queries ?? []), ...(entry.fields ?? []).flat()];
  parts.push(...(entry.verifiers ?? []).map((v) => v.code), ...(entry.cases ?? []).map((c) => c.text), ...(entry.completions ?? []).map((c) => c.text));
  return parts.filter(Boolean).join("\n").toLowerCase();
}

const wanted = () => $("find").value.toLowerCase().split(/\s+/).filter(Boolean);

function matches(entry) {
  const looked = wanted();
  entry.words ??= looked.length ? words(entry) : undefined;
  return FILTERS.every((key) => !$(key).value || entry[key] === $(key).value) && looked.every((word) => entry.words.includes(word));
}

function search() {
  found = data.entries.filter(matches);
  shown = 0;
  $("entries").replaceChildren();
  $("found").textContent = `${found.length} of ${data.entries.length} entries`;
  $("meaning").textContent = data.meanings[$("outcome").value] ?? "";
  more();
}

function more() {
  const next = found.slice(shown, shown + PAGE);
  const cards = next.map((entry, i) => card(entry, shown + i));
  $("entries").append(...cards);
  shown += next.length;
  $("next").hidden = shown >= found.length;
  $("next").textContent = `Show ${Math.min(PAGE, found.length - shown)} more of ${found.length - shown}`;
  mark();
  return cards[0];
}

/** Colours the searched words in what is on the page. */
function mark() {
  if (!globalThis.CSS?.highlights) return;
  const ranges = [];
  const nodes = document.createTreeWalker($("entries"), NodeFilter.SHOW_TEXT);
  const looked = wanted();
  while (looked.length && nodes.nextNode()) {
    const node = nodes.currentNode;
    const low = node.data.toLowerCase();
    for (const word of looked) for (let at = low.indexOf(word); at >= 0 && at + word.length <= node.length; at = low.indexOf(word, at + word.length)) ranges.push(new StaticRange({ startContainer: node, startOffset: at, endContainer: node, endOffset: at + word.length }));
  }
  CSS.highlights.set("found", new Highlight(...ranges.slice(0, 2000)));
}

/** The step of a figure that is nearest to the pointer, as a place in its list of steps. */
function nearest(figure, event) {
  const steps = JSON.parse(figure.dataset.steps);
  const box = figure.querySelector("svg").getBoundingClientRect();
  const [left, right, width] = [46, 330, 340]; // as in figures.py
  const share = (((event.clientX - box.left) / box.width) * width - left) / (right - left);
  const step = steps[0] + share * (steps.at(-1) - steps[0]);
  const at = steps.reduce((best, value, i) => (Math.abs(value - step) < Math.abs(steps[best] - step) ? i : best), 0);
  return [at, steps[at]];
}

/** Writes each line's value at the pointer into the figure's key, or what stood there when there is no pointer. */
function read(figure, event) {
  const [at, step] = event ? nearest(figure, event) : [];
  const told = figure.querySelectorAll(".key b");
  for (const [i, line] of figure.querySelectorAll("polyline").entries()) {
    told[i].dataset.range ??= told[i].textContent;
    const value = event && JSON.parse(line.dataset.values)[at];
    told[i].textContent = event ? `${value?.toPrecision(3).replace("-", "−") ?? "–"} at step ${step}` : told[i].dataset.range;
  }
}

/** `#browse?outcome=…` sets the filters; links of the funnel use it. */
function follow() {
  const [place, wanted] = location.hash.slice(1).split("?");
  if (place !== "browse" || wanted === undefined) return;
  const values = new URLSearchParams(wanted);
  $("find").value = values.get("find") ?? "";
  for (const key of FILTERS) $(key).value = values.get(key) ?? "";
  search();
  $("browse").scrollIntoView();
}

/** Calls `act` once things have been quiet for a moment. */
function later(act, milliseconds = 120) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
}

$("find").addEventListener("input", later(search));
for (const key of FILTERS) $(key).addEventListener("change", search);
document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
document.querySelector(".filters").addEventListener("reset", () => setTimeout(search));
$("next").addEventListener("click", () => more()?.querySelector("summary").focus());
for (const figure of document.querySelectorAll(".curves")) {
  figure.addEventListener("pointermove", (event) => read(figure, event));
  figure.addEventListener("pointerleave", () => read(figure));
}
addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, select")) {
    event.preventDefault();
    $("find").focus();
  }
});
search();
follow();
