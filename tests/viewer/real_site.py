"""The real server over a run, in a thread, and what it answers over HTTP."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

from autoif.report.folder import RunFolder
from autoif.viewer.app import server
from autoif.viewer.serve import listening
from autoif.viewer.shelf import Shelf


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def page(self) -> Page:
        return Page(self.text)


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def links(self, rel: str | None = None) -> list[str]:
        found = [a for tag, a in self.elements if tag == "a" and (rel is None or a.get("rel") == rel)]
        return [a["href"] or "" for a in found]

    @property
    def cards(self) -> list[str]:
        """The addresses of the records or drops that are listed."""
        return [link for link in self.links() if link.endswith("#asked") or re.search("/dropped/[0-9]+-", link)]


@dataclass(frozen=True)
class Site:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Sends the path as it is; a header is left out where its value is empty."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            sent = {"Host": f"127.0.0.1:{self.port}"} | headers
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())

    def page(self, path: str, **query: str | int) -> Page:
        answer = self.ask(f"{path}?{urlencode(query)}" if query else path)
        assert answer.status == 200, answer.text
        return answer.page


@contextmanager
def serving(run: Path) -> Iterator[Site]:
    with closing(listening(0)) as opened, closing(Shelf(RunFolder(run))) as shelf:
        started = server(shelf)
        thread = Thread(target=started.run, kwargs={"sockets": [opened]})
        thread.start()
        yield Site(opened.getsockname()[1])
        started.should_exit = True
        thread.join()


def crawl(site: Site) -> dict[str, Page]:
    """Every page that can be reached by links, by address."""
    found: dict[str, Page] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop().partition("#")[0]
        if path and path not in found:
            found[path] = site.page(path)
            waiting += found[path].links()
    return found


def quoted(words: str) -> str:
    return "".join(f"%{byte:02x}" for byte in words.encode())
