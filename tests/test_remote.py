"""Shards on an S3 server of this machine, read as a source and written as an export."""

import gzip
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoif import remote
from autoif.config import QueriesConfig
from autoif.errors import InputError
from autoif.remote import Folder
from autoif.sources import read_source

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'autoif[remote]'")
pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'autoif[remote]'")
moto = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[s3]' flask flask-cors")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel("ERROR")
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    name = "".join(c for c in tmp_path.name.lower() if c.isalnum())
    for variable, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(variable, value)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir(name)
    yield f"s3://{name}"
    fsspec.filesystem("s3").clear_instance_cache()


def _put(url: str, data: bytes) -> None:
    with fsspec.open(url, "wb") as file:
        file.write(data)


def _lines(*texts: str) -> bytes:
    return "".join(json.dumps({"query": text}) + "\n" for text in texts).encode()


def test_shards_of_every_kind_are_a_source(bucket: str, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"query": ["five", "six"], "other": [1, 2]}), tmp_path / "x.parquet")
    _put(f"{bucket}/in/a-0.jsonl", _lines("one", "two"))
    _put(f"{bucket}/in/b/a-1.jsonl.gz", gzip.compress(_lines("three")))
    _put(f"{bucket}/in/c.json", b'[{"query": "four"}]')
    _put(f"{bucket}/in/d.parquet", (tmp_path / "x.parquet").read_bytes())
    _put(f"{bucket}/in/notes.txt", b"not data")
    texts = [each.text for each in read_source(QueriesConfig(source=f"{bucket}/in"), 0)]
    assert texts == ["one", "two", "three", "four", "five", "six"]
    [one] = read_source(QueriesConfig(source=f"{bucket}/in/b/a-1.jsonl.gz"), 0)
    assert (one.text, one.problem) == ("three", None)
    shuffled = [each.text for each in read_source(QueriesConfig(source=f"{bucket}/in", shuffle=True), 1)]
    assert sorted(shuffled) == sorted(texts)


def test_rows_are_written_in_shards_and_nothing_is_overwritten(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SHARD_ROWS", 3)
    rows = [{"n": n, "text": "ü"} for n in range(7)]
    assert Folder(f"{bucket}/out").write("trl", iter(rows)) == 7
    names = Folder(f"{bucket}/out").names()
    assert [name.name for name in names] == ["trl-00000.jsonl", "trl-00001.jsonl", "trl-00002.jsonl"]
    written = [json.loads(line) for name in names for line in Folder(f"{bucket}/out").open(name)]
    assert written == rows
    with pytest.raises(InputError, match="already holds"):
        Folder(f"{bucket}/out").write("trl", rows)


@pytest.mark.parametrize(
    ("path", "says"), [("/nothing/here", "there is nothing"), ("-no-such-bucket/x", "check the path")]
)
def test_what_is_not_there_is_one_sentence(bucket: str, path: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        list(read_source(QueriesConfig(source=bucket + path), 0))
    assert "\n" not in str(caught.value)


def test_an_unknown_kind_of_url_is_one_sentence() -> None:
    with pytest.raises(InputError, match="nosuch://x"):
        list(read_source(QueriesConfig(source="nosuch://x"), 0))
