"""A Hugging Face hub in miniature: a real HTTP server that keeps repositories in memory, and fails on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_this_is_the_secret_of_the_tests"
REPO = r"(?P<kind>models|datasets)/(?P<repo>[^/]+/[^/]+)"
GIT = r"/(?:(?P<kind>datasets)/)?(?P<repo>[^/]+/[^/]+)"


@dataclass
class Repo:
    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.parquet filter=lfs\n"})
    large: set[str] = field(default_factory=set)
    """Names of the files that came as LFS objects."""
    commits: list[list[str]] = field(default_factory=list)
    """The keys of each commit's operations, with their paths."""

    @property
    def sha(self) -> str:
        return hashlib.sha1(
            repr([(name, blob_id(self.files[name])) for name in sorted(self.files)]).encode()
        ).hexdigest()

    @property
    def card(self) -> dict[str, Any]:
        return head(self.files.get("README.md", b"").decode())


class Hub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[tuple[str, str], Repo] = {}
        """By ("models" or "datasets", ORG/NAME)."""
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        """METHOD path of every request."""
        self.faults: dict[str, int] = {}
        """Status to answer with when "METHOD path" holds this text."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def head(card: str) -> dict[str, Any]:
    parts = card.split("---\n")
    return (yaml.safe_load(parts[1]) or {}) if len(parts) > 2 else {}


def problems(card: str, kind: str) -> list[str]:
    """What the hub refuses in the front matter of a card."""
    found = head(card)
    wrong = []
    if not re.fullmatch(r"[\w.-]+/[\w.-]+|None", str(found.get("base_model"))):
        wrong.append('"base_model" is not valid. Use a model id from https://hf.co/models.')
    if found.get("license", "other") not in ("apache-2.0", "unknown", "other", "mit", "llama3.1"):
        wrong.append('"license" must be one of the known ones.')
    if kind == "dataset" and any(not re.fullmatch("[a-z]{2,3}", tag) for tag in found.get("language", [])):
        wrong.append('"language" must be ISO 639 codes.')
    return wrong


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(asked := f"{self.command} {path}")
        fault = next((status for text, status in self.server.faults.items() if text in asked), None)
        if fault:
            self.refuse(fault, "as the test wants it")
        elif self.command != "PUT" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.refuse(401, "Invalid credentials in Authorization header")
        else:
            self.route(path, body)

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def route(self, path: str, body: bytes) -> None:
        routes = {
            r"POST /api/repos/create": self.create,
            r"POST /api/validate-yaml": self.validate,
            rf"GET /api/{REPO}(/revision/[^/]+)?": self.info,
            rf"POST /api/{REPO}/preupload/main": self.preupload,
            rf"POST {GIT}\.git/info/lfs/objects/batch": self.batch,
            r"PUT /lfs/(?P<oid>\w+)": self.store,
            rf"POST /api/{REPO}/commit/main": self.commit,
            rf"GET /api/{REPO}/tree/[^/]+(?P<folder>/.*)?": self.tree,
            rf"POST /api/{REPO}/paths-info/[^/]+": self.paths_info,
            rf"(GET|HEAD) {GIT}/resolve/[^/]+/(?P<name>.+)": self.resolve,
        }
        for pattern, act in routes.items():
            if found := re.fullmatch(pattern, f"{self.command} {path}"):
                named: dict[str, Any] = found.groupdict()
                named.pop("folder", None)
                if "repo" in named:
                    named["repo"] = self.server.repos.get((named.pop("kind") or "models", named["repo"]))
                    if named["repo"] is None:
                        return self.refuse(404, "Repository not found", "RepoNotFound")
                return act(body, **named)
        return self.refuse(404, f"no such route: {self.command} {path}", "EntryNotFound")

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        kind, name = f"{asked.get('type', 'model')}s", f"{asked['organization']}/{asked['name']}"
        url = f"{self.server.url}/{'datasets/' if kind == 'datasets' else ''}{name}"
        if (kind, name) in self.server.repos:
            return self.answer({"error": "You already created this repo", "url": url}, 409)
        self.server.repos[kind, name] = Repo(private=asked.get("visibility") == "private")
        return self.answer({"url": url, "name": name})

    def validate(self, body: bytes) -> None:
        asked = json.loads(body)
        wrong = problems(asked["content"], asked["repoType"])
        self.answer({"errors": [{"message": text} for text in wrong], "warnings": []}, 400 if wrong else 200)

    def info(self, body: bytes, repo: Repo) -> None:
        named = next(name for (_, name), found in self.server.repos.items() if found is repo)
        self.answer(
            {
                "id": named,
                "sha": repo.sha,
                "private": repo.private,
                "cardData": repo.card,
                "siblings": [{"rfilename": name} for name in repo.files],
                "tags": [],
                "downloads": 0,
                "gated": False,
                "disabled": False,
            }
        )

    def preupload(self, body: bytes, repo: Repo) -> None:
        files = []
        for file in json.loads(body)["files"]:
            large = file["path"].endswith((".parquet", ".safetensors"))
            mine = repo.files.get(file["path"])
            oid = None if mine is None else hashlib.sha256(mine).hexdigest() if large else blob_id(mine)
            mode = "lfs" if large else "regular"
            files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.answer({"files": files})

    def batch(self, body: bytes, repo: Repo) -> None:
        objects = []
        for wanted in json.loads(body)["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.server.objects:
                entry["actions"] = {"upload": {"href": f"{self.server.url}/lfs/{wanted['oid']}"}}
            objects.append(entry)
        self.answer({"transfer": "basic", "objects": objects})

    def store(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            return self.refuse(400, "the object is not what its name says")
        self.server.objects[oid] = body
        return self.answer({})

    def commit(self, body: bytes, repo: Repo) -> None:
        operations = [json.loads(line) for line in body.splitlines()]
        assert operations[0]["key"] == "header"
        for operation in operations[1:]:
            value = operation["value"]
            if operation["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                repo.files[value["path"]] = self.server.objects[value["oid"]]
                repo.large.add(value["path"])
            elif operation["key"] == "deletedFile":
                del repo.files[value["path"]]
        repo.commits.append([f"{operation['key']} {operation['value'].get('path')}" for operation in operations[1:]])
        address = self.path.replace("/api/models/", "/").replace("/api/", "/").partition("/commit/")[0]
        self.answer({"commitUrl": f"{self.server.url}{address}/commit/{repo.sha}", "commitOid": repo.sha})

    def tree(self, body: bytes, repo: Repo) -> None:
        folder = urlsplit(self.path).path.partition("/tree/")[2].partition("/")[2]
        deep = "recursive=true" in self.path.lower()
        self.answer(_entries(repo, unquote(folder), deep))

    def paths_info(self, body: bytes, repo: Repo) -> None:
        asked = json.loads(body)["paths"] if body.startswith(b"{") else []
        everything = _entries(repo, "", deep=True)
        self.answer([entry for entry in everything if entry["path"] in asked])

    def resolve(self, body: bytes, repo: Repo, name: str) -> None:
        if name not in repo.files:
            return self.refuse(404, "Entry not found", "EntryNotFound")
        data, status = repo.files[name], 200
        more = {"ETag": f'"{blob_id(data)}"', "X-Repo-Commit": repo.sha, "Accept-Ranges": "bytes"}
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(wanted[1]), int(wanted[2] or len(data) - 1)
            more["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            data, status = data[start : end + 1], 206
        return self.send(status, data, {"Content-Type": "application/octet-stream", **more})

    def answer(self, value: Any, status: int = 200) -> None:
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, status: int, message: str, code: str = "") -> None:
        more = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        self.send(status, json.dumps({"error": message}).encode(), {"Content-Type": "application/json", **more})

    def send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


def blob_id(data: bytes) -> str:
    """What git calls a file with this content."""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()


def _entries(repo: Repo, folder: str, deep: bool) -> list[dict[str, Any]]:
    """Files below a folder, and its folders, as the hub lists them."""
    start = f"{folder}/" if folder else ""
    entries, folders = [], set()
    for name, data in repo.files.items():
        inside = name.removeprefix(start)
        if not name.startswith(start):
            continue
        folders |= {start + "/".join(inside.split("/")[:n]) for n in range(1, inside.count("/") + 1)}
        if deep or "/" not in inside:
            entries.append({"type": "file", "path": name, "size": len(data), "oid": blob_id(data)})
    shown = folders if deep else {name for name in folders if "/" not in name.removeprefix(start)}
    return entries + [{"type": "directory", "path": name, "oid": blob_id(name.encode())} for name in sorted(shown)]
