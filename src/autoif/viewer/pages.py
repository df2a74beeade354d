"""What each address of the server shows."""

from __future__ import annotations

import math
import re
import zlib
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from autoif.lineage import Found
from autoif.report import words
from autoif.report.entries import UNKNOWN, VERDICTS
from autoif.report.folder import STAGES, Count, json_object, objects_of, read_json
from autoif.report.page import environment
from autoif.report.text import marked
from autoif.rundir import RECORDS
from autoif.viewer.family import drop_entry, family, parent_of
from autoif.viewer.listing import View, listing, search
from autoif.viewer.marks import FACETS, VALUES
from autoif.viewer.shelf import Shelf

FATES = {"chosen": "▲ chosen", "rejected": "▼ rejected", "unused": "○ unused", "waiting": "… waiting"}
HEADINGS = {
    "queries": "Query",
    "instructions": "Instruction",
    "verifiers": "Instruction with its candidates",
    "crosscheck": "Verified instruction",
    "completions": "Completion",
    "scores": "Scored completion",
    "pairs": "Preference pair",
}
Facets = dict[str, tuple[str, ...]]
"""What a list can be filtered by, with the values there are."""
DROP = re.compile(r"([1-9][0-9]{,11})-([0-9a-f]{8})")


def place(stage: str, reason: str = "") -> str:
    """The address of a stage's records, or of what it dropped for a reason; empty for a stage that makes none."""
    query = f"/dropped?{urlencode({'reason': reason})}" if reason else ""
    return f"/{stage}{query}" if stage in RECORDS else ""


class Pages:
    """Every method answers one request from the files as they are then; nothing of an address reaches the disk."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._jinja = environment("autoif.viewer")
        self._jinja.filters["marked"] = marked
        self._jinja.globals |= {
            "place": place,
            "fates": FATES,
            "verdicts": {verdict.letter: verdict for verdict in (*VERDICTS.values(), UNKNOWN)},
            "records": tuple(RECORDS),
            "stages": STAGES,
            "run": shelf.run.path.resolve().name,
            "path": str(shelf.run.path),
            "created": str(shelf.run.about.get("created") or ""),
        }

    def home(self, request: Request) -> HTMLResponse:
        """The funnel."""
        counts = self.shelf.counts()
        table = objects_of(read_json(self.shelf.run.folder("pairs") / "contamination.json"), "benchmarks")
        running = [name for name in RECORDS if any(count.name == name and count.state == "running" for count in counts)]
        return self._page(
            "home",
            title="Funnel",
            counts=counts,
            contamination=table,
            behind=self._behind(running),
            live=any(count.state != "done" for count in counts),
        )

    def records(self, request: Request) -> HTMLResponse:
        stage = _stage(request)
        return self._listed(request, stage, False, {facet: VALUES[facet] for facet in FACETS.get(stage, ())})

    def drops(self, request: Request) -> HTMLResponse:
        stage = _stage(request)
        reasons = tuple(reason for reason, _ in self.shelf.count(stage).dropped)
        return self._listed(request, stage, True, {"reason": reasons})

    def _listed(self, request: Request, stage: str, dropped: bool, facets: Facets) -> HTMLResponse:
        """A page of what the reader filtered, or what a search found in it."""
        query = request.query_params
        view = View(stage, dropped, {facet: value for facet in facets if (value := query.get(facet))})
        count, find = self.shelf.count(stage), query.get("find", "")[:200]
        about = self._about(view, facets, count) | {"find": find, "address": f"{_here(view)}?{query}"}
        if find.split():
            found = search(self.shelf, view, find, _whole(request, "start", 0))
            return self._page("search", **about, search=found, live=False)
        page = _whole(request, "page", 1)
        if not page:
            raise HTTPException(404, "Pages are counted from 1.")
        made = listing(self.shelf, view, page)
        if made.total is not None and page > made.pages:
            raise HTTPException(404, f"There is no page {page:,}; the last one is {made.pages:,}.")
        live = count.state != "done" or made.total is None or not made.reached
        return self._page("listing", **about, listing=made, live=live)

    def _about(self, view: View, facets: Facets, count: Count) -> dict[str, Any]:
        """What stands above a list, and how its links are made."""

        def number(facet: str, value: str) -> int | None:
            return View(view.stage, view.dropped, {facet: value}).total(self.shelf, count)

        return {
            "title": f"{view.stage}, dropped" if view.dropped else view.stage,
            "stage": view.stage,
            "dropped": view.dropped,
            "count": count,
            "wanted": view.wanted,
            "filters": {facet: [(value, number(facet, value)) for value in values] for facet, values in facets.items()},
            "meaning": words.MEANINGS.get(f"{view.stage}/{view.wanted.get('reason')}", ""),
            "here": _here(view),
            "link": lambda **more: f"{_here(view)}?{urlencode({**view.wanted, **more})}",
        }

    def record(self, request: Request) -> HTMLResponse:
        """One record with its whole lineage, as far as the files were read."""
        stage, id = _stage(request), str(request.path_params["id"])
        behind = "" if self.shelf.read_on() else self._behind(list(RECORDS))
        found = self.shelf.record(stage, id)
        if not found and not behind:
            raise HTTPException(404, f"No record of {stage} has this id.")
        made = family(self.shelf, found) if found else None
        keys = [made.entry.get(key) for key in ("kind", "origin", "split")] if made else []
        return self._page(
            "record",
            title=HEADINGS[stage],
            stage=stage,
            id=found.content["id"] if found else "",
            behind=behind,
            family=made,
            tags=[words.name(key) for key in dict.fromkeys(keys) if key and key != "train"],
            live=bool(behind) or any(self.shelf.count(name).state != "done" for name in RECORDS),
        )

    def drop(self, request: Request) -> HTMLResponse:
        """One dropped thing, by the number of its line and a checksum of it."""
        stage = _stage(request)
        match = DROP.fullmatch(request.path_params["place"])
        if not match:
            raise HTTPException(404, f"There is no such address; see /{stage}/dropped.")
        number, lines, here = int(match[1]), self.shelf.drops[stage], f"/{stage}/dropped"
        lines.extend(number, seconds=math.inf)
        found = lines.page({}, number - 1, number)
        if not found or f"{zlib.crc32(found[0][1]):08x}" != match[2]:
            raise HTTPException(404, f"It is not there any more: a finished stage puts its drops in order. See {here}.")
        drop = json_object(found[0][1])
        what = drop.get("what")
        item = Found(stage, what if isinstance(what, dict) else {"text": what}, str(drop.get("reason")))
        whole = self.shelf.read_on()
        return self._page(
            "drop",
            title=words.name(item.reason or "").capitalize(),
            stage=stage,
            reason=item.reason,
            line=number,
            entry=drop_entry(item),
            parent=parent_of(self.shelf, item),
            live=not whole,
        )

    def refused(self, request: Request, error: Exception) -> HTMLResponse:
        assert isinstance(error, HTTPException)
        title = {404: "Not found", 405: "Only for reading"}.get(error.status_code, "Not understood")
        return self._message(error.status_code, title, error.detail, error.headers)

    def unreadable(self, request: Request, error: Exception) -> HTMLResponse:
        """A damaged record, or a file that was taken away while it was read."""
        return self._message(500, "Cannot be read", str(error), None)

    def _message(self, status: int, title: str, message: str, headers: Any) -> HTMLResponse:
        page = self._page("message", title=title, status=status, message=message, live=False)
        return HTMLResponse(page.body, status, headers)

    def _page(self, name: str, **about: Any) -> HTMLResponse:
        return HTMLResponse(self._jinja.get_template(f"{name}.html.j2").render({"stage": ""} | about))

    def _behind(self, names: list[str]) -> str:
        """How far the files of these stages were read; empty when there is nothing left to read."""
        files = [lines for name in names for lines in (self.shelf.records[name], self.shelf.drops[name])]
        if all(lines.whole for lines in files):
            return ""
        read, size = sum(lines.read for lines in files), sum(lines.size for lines in files)
        return f"{read / 1e6:,.0f} of {size / 1e6:,.0f} MB"


def _stage(request: Request) -> str:
    stage = str(request.path_params["stage"])
    if stage not in RECORDS:
        raise HTTPException(404, f"There is no stage of this name; the stages are {', '.join(RECORDS)}.")
    return stage


def _here(view: View) -> str:
    return f"/{view.stage}/dropped" if view.dropped else f"/{view.stage}"


def _whole(request: Request, key: str, default: int) -> int:
    text = request.query_params.get(key) or str(default)
    if not re.fullmatch("[0-9]{1,12}", text):
        raise HTTPException(400, f"{key}: expected a whole number.")
    return int(text)
