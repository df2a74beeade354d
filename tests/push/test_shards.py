import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoif.push import shards
from autoif.push.shards import Shards

SCHEMA = pa.schema({"n": pa.int64(), "text": pa.string()})


@pytest.fixture
def small(monkeypatch):
    """Groups of one batch, files of a few groups."""
    monkeypatch.setattr(shards, "BATCH", 4)
    monkeypatch.setattr(shards, "GROUP_BYTES", 100)
    monkeypatch.setattr(shards, "SHARD_BYTES", 700)


def written(folder, rows, split="train"):
    made = Shards(folder, split, SCHEMA)
    for row in rows:
        made.add(row)
    made.close()
    return made.files


def rows(count):
    return [{"n": n, "text": f"{n} {'x' * (n % 50)} \x00 \u202e 日本語"} for n in range(count)]


def test_rows_fill_files_of_about_the_same_size_in_order(small, tmp_path):
    files = written(tmp_path, rows(101))
    assert len(files) > 3
    assert [file.name for file in files[:2]] == ["train-00000.parquet", "train-00001.parquet"]
    assert sorted(tmp_path.iterdir()) == files
    assert all(file.stat().st_size < 3_000 for file in files)
    assert pa.concat_tables(pq.read_table(file) for file in files).to_pylist() == rows(101)


def test_no_more_than_a_row_group_is_held(small, tmp_path):
    files = written(tmp_path, rows(101))
    groups = [pq.ParquetFile(file).metadata.row_group(g).num_rows for file in files for g in range(_groups(file))]
    assert max(groups) == 4


def test_a_split_without_rows_has_no_file(tmp_path):
    assert written(tmp_path, []) == []
    assert list(tmp_path.iterdir()) == []


def test_the_same_rows_give_the_same_bytes(small, tmp_path):
    once, again = (written(tmp_path / name, rows(30)) for name in ("once", "again"))
    assert [file.read_bytes() for file in once] == [file.read_bytes() for file in again]


def _groups(file):
    return pq.ParquetFile(file).metadata.num_row_groups
