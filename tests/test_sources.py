"""Every kind of source gives its first human turns; what is broken is counted, never fatal."""

import csv
import gzip
import io
import json
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoif.config import QueriesConfig
from autoif.dedupe import NearSeen, normal
from autoif.errors import InputError
from autoif.language import foreign
from autoif.records import Conversation
from autoif.sources import files, read_source
from autoif.sources.hub import hub_rows

ROWS = [{"query": f"How tall is tree number {n}?"} for n in range(20)]
SHARED = Path(__file__).parents[2] / "shared" / "data" / "queries"


def read(source, seed=0, **settings):
    return list(read_source(QueriesConfig(source=str(source), **settings), seed))


def write(path, *lines):
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def texts(conversations):
    return [each.text for each in conversations if each.problem is None]


def problems(conversations):
    return [(each.source, each.problem) for each in conversations if each.problem is not None]


def turns(*speakers, key="from", text="value"):
    return [{key: who, text: f"words of {who}"} for who in speakers]


# builtin


def test_builtin_queries_are_many_varied_and_english():
    found = texts(read("builtin"))
    near, is_foreign = NearSeen(0.7), foreign("en")
    assert len(found) >= 220
    assert len(set(map(normal, found))) == len(found)
    assert all(near.add(text) for text in found)
    assert not any(is_foreign(text) for text in found)
    assert sum(len(text.split()) >= 100 for text in found) >= 4
    assert all(10 <= len(text) <= 2000 and text == text.strip() for text in found)


def test_builtin_names_its_rows():
    assert read("builtin")[0].source == "builtin:1"


# JSON lines


def test_jsonl_takes_the_first_known_field(tmp_path):
    rows = [{"text": "no", "prompt": "yes", "question": "no"}, {"prompt": "also"}]
    assert texts(read(write(tmp_path / "a.jsonl", *rows))) == ["yes", "also"]


def test_jsonl_takes_the_named_field(tmp_path):
    path = write(tmp_path / "a.jsonl", {"ask": "this", "query": "not this"})
    assert texts(read(path, field="ask")) == ["this"]


def test_a_missing_field_names_the_fields_found(tmp_path):
    path = write(tmp_path / "a.jsonl", {"ask": 1, "reply": 2})
    with pytest.raises(InputError, match=r"a\.jsonl:1: expected the field query or .* found ask, reply; set queries"):
        read(path)
    with pytest.raises(InputError, match="expected the field nope, found ask, reply"):
        read(path, field="nope")


def test_bad_lines_are_counted_with_their_line_number(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        {"query": "first"},
        b'{"query": "torn',
        b"",
        b'{"query": "\xff\xfe"}',
        b'{"query": "raw \x00 nul"}',
        [1, 2],
        {"query": 7},
        {"other": "x"},
        {"query": None},
        b"[" * 100_000,
        b'{"query": ' + b"9" * 5000 + b"}",
        {"query": "last"},
    )
    found = read(path)
    assert texts(found) == ["first", "last"]
    assert [int(source.partition(":")[2]) for source, _ in problems(found)] == [2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert dict(problems(found))["a.jsonl:8"] == "has no field query"


def test_escapes_byte_order_marks_and_long_lines(tmp_path):
    long = "x" * 10_000_000
    path = write(tmp_path / "a.jsonl", {"query": long}, b'{"query": "lone \\ud800 nul \\u0000"}')
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert texts(read(path)) == [long, "lone \ud800 nul \0"]


def test_a_line_without_end_is_one_bad_row_and_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LONGEST", 2**16)
    path = write(tmp_path / "a.jsonl", {"query": "before"}, b"y" * 2**24, {"query": "after"})
    tracemalloc.start()
    found = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts(found) == ["before", "after"]
    assert problems(found) == [("a.jsonl:2", "a line of more than 65536 bytes")]
    assert peak < 2**21


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"   "])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_an_empty_file_has_no_rows(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert texts(read(path)) == []


@given(content=st.binary(max_size=200), name=st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.jsonl.gz", "a.parquet"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    try:
        found = read(path)
    except InputError:
        return
    assert all(isinstance(each, Conversation) for each in found)


# HH-RLHF


@pytest.mark.parametrize("format", ["auto", "hh"])
def test_hh_transcripts(tmp_path, format):
    rows = [
        {"chosen": "\n\nHuman: What is tea?\n\nIt puzzles me.\n\nAssistant: A drink.\n\nHuman: Ah", "rejected": "x"},
        {"chosen": "\n\nAssistant: Hello", "rejected": "x"},
        {"chosen": "\n\nHuman: Alone", "rejected": "x"},
    ]
    path = tmp_path / "train.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"\n".join(json.dumps(row).encode() for row in rows))
    assert [text and text.strip() for text in texts(read(path, format=format))] == [
        "What is tea?\n\nIt puzzles me.",
        None,
        "Alone",
    ]


def test_a_truncated_gz_keeps_what_was_whole(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    whole = gzip.compress(b"\n".join(json.dumps({"query": f"{n} {n * n} {n**5}"}).encode() for n in range(5000)))
    path.write_bytes(whole[: len(whole) // 2])
    found = read(path)
    assert len(texts(found)) > 500
    assert len(problems(found)) == 1
    assert "ends too early" in problems(found)[0][1]


# ShareGPT and chats


def sharegpt(count=50):
    heads = [("human", "gpt"), ("gpt", "human"), ("system", "human"), ()]
    return [{"id": f"c{n}", "conversations": turns(*heads[n % 4])} for n in range(count)]


@pytest.mark.parametrize("format", ["auto", "sharegpt"])
@pytest.mark.parametrize("layout", ["array", "lines"])
def test_sharegpt(tmp_path, format, layout):
    path = tmp_path / "share.json"
    rows = sharegpt()
    path.write_text(json.dumps(rows, indent=1) if layout == "array" else "\n".join(map(json.dumps, rows)))
    found = read(path, format=format)
    assert problems(found) == []
    assert Counter(texts(found)) == {"words of human": 13, None: 37}
    assert found[4].source == "share.json:5"


@given(st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_json_keeps_every_whole_item_and_reports_one(tmp_path, data):
    items = [json.dumps(item, ensure_ascii=False).encode() for item in sharegpt(12)]
    whole = b"\xef\xbb\xbf" * data.draw(st.booleans()) + b"[\n" + b",\n".join(items) + b"]"
    cut = data.draw(st.integers(4, len(whole) - 1))
    path = tmp_path / "share.json"
    path.write_bytes(whole[:cut])
    ends = [whole.index(item) + len(item) for item in items]
    found = read(path)
    assert len(found) - len(problems(found)) == sum(end <= cut for end in ends)
    assert len(problems(found)) == 1


def test_a_row_after_the_broken_one_is_not_guessed_at(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"query": "one"}, {"query": tw}, {"query": "three"}]')
    found = read(path)
    assert texts(found) == ["one"]
    assert problems(found)[0][0] == "a.json:2"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (turns("user", "assistant", key="role", text="content"), "words of user"),
        (turns("system", "user", key="role", text="content"), None),
        ([], None),
    ],
)
def test_chat_messages(tmp_path, messages, expected):
    path = write(tmp_path / "a.jsonl", {"messages": messages})
    assert read(path) == [Conversation(expected, "a.jsonl:1")]
    assert read(path, field="messages") == read(path)


@pytest.mark.parametrize("turn", ["words", 3, {"role": "user"}, {"role": "user", "content": [1]}, {"from": "human"}])
def test_a_turn_that_is_none(tmp_path, turn):
    assert len(problems(read(write(tmp_path / "a.jsonl", {"messages": [turn]})))) == 1


def test_a_turn_of_nobody_is_not_human(tmp_path):
    assert texts(read(write(tmp_path / "a.jsonl", {"messages": [{"role": [], "content": "x"}]}))) == [None]


# CSV and Parquet


def test_csv(tmp_path):
    path = tmp_path / "a.csv"
    out = io.StringIO()
    csv.writer(out).writerows([["id", "prompt"], ["1", 'two\nlines, "quoted"'], [], ["2"], ["3", "last"]])
    path.write_bytes(b"\xef\xbb\xbf" + out.getvalue().encode())
    found = read(path)
    assert texts(found) == ['two\nlines, "quoted"', "last"]
    assert problems(found) == [("a.csv:5", "has no field prompt")]


def test_csv_with_bad_bytes_and_cells_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LONGEST", 2**16)
    path = tmp_path / "a.csv"
    path.write_bytes(b"query\nfirst\nb\xff\xfed\nnul \0 in it\n" + b"x" * 2**18 + b"\nlast\n")
    found = read(path)
    assert texts(found) == ["first", "nul \0 in it", "last"]
    assert [source for source, _ in problems(found)] == ["a.csv:3", "a.csv:5"]


def parquet(path, columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path, row_group_size=300)
    return path


def test_parquet_in_batches(tmp_path):
    count = 1000
    path = parquet(tmp_path / "a.parquet", {"n": range(count), "question": [f"Is it {n}?" for n in range(count)]})
    found = read(path)
    assert texts(found) == [f"Is it {n}?" for n in range(count)]
    assert found[-1].source == "a.parquet:1000"


def test_parquet_of_conversations(tmp_path):
    path = parquet(tmp_path / "a.parquet", {"conversations": [turns("human", "gpt"), turns("gpt"), None]})
    found = read(path)
    assert texts(found) == ["words of human", None]
    assert problems(found) == [("a.parquet:3", "expected text in conversations, found nothing")]


def test_parquet_without_the_field_names_what_is_there(tmp_path):
    path = parquet(tmp_path / "a.parquet", {"ask": ["x"], "reply": ["y"]})
    with pytest.raises(InputError, match="found ask, reply"):
        read(path)


def test_parquet_that_is_not_utf8(tmp_path):
    import pyarrow as pa

    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0"), pa.py_buffer(b"\xff\xfeok")]
    )
    found = read(parquet(tmp_path / "a.parquet", {"query": bad}))
    assert texts(found) == ["ok"]
    assert problems(found) == [("a.parquet:1", "not UTF-8")]


def test_what_is_not_parquet_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read \(not Parquet"):
        read(path)


# folders, order, what is not there


def test_a_folder_is_read_in_sorted_order(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".cache").mkdir()
    write(tmp_path / "b" / "x.jsonl", {"query": "second"})
    write(tmp_path / "a.jsonl", {"prompt": "first"})
    write(tmp_path / "c.json", [{"text": "third"}])
    write(tmp_path / "notes.txt", b"nothing")
    write(tmp_path / ".cache" / "d.jsonl", {"query": "hidden"})
    assert [(each.text, each.source) for each in read(tmp_path)] == [
        ("first", "a.jsonl:1"),
        ("second", "b/x.jsonl:1"),
        ("third", "c.json:1"),
    ]


def test_shuffle_is_a_permutation_drawn_from_the_seed(tmp_path):
    path = write(tmp_path / "a.jsonl", *ROWS, b"broken", b'{"query": "lone \\ud800"}')
    plain, one, again, two = read(path), *(read(path, seed, shuffle=True) for seed in (1, 1, 2))
    assert one == again
    assert one != plain
    assert one != two
    assert sorted(map(repr, one)) == sorted(map(repr, plain)) == sorted(map(repr, two))


@pytest.mark.parametrize("source", ["", "no/such/file.jsonl", "missing.csv", "./folder", "a b", "/dev/null", "a\0b"])
def test_a_source_that_is_not_there_is_one_clear_sentence(source):
    with pytest.raises(InputError, match=r"^(queries\.source: |/dev/null: )"):
        read(source)


def test_a_file_of_an_unknown_kind(tmp_path):
    with pytest.raises(InputError, match=r"notes\.txt: is of no known kind; expected one of \.jsonl, \.json"):
        read(write(tmp_path / "notes.txt", b"x"))


def test_a_folder_without_data(tmp_path):
    with pytest.raises(InputError, match="holds no data file"):
        read(tmp_path)


# Hugging Face


@pytest.fixture
def data_set(tmp_path):
    (tmp_path / "helpful-base").mkdir()
    with gzip.open(tmp_path / "helpful-base" / "train.jsonl.gz", "wb") as file:
        for n in range(30):
            file.write(json.dumps({"chosen": f"\n\nHuman: {n}?\n\nAssistant: Yes."}).encode() + b"\n")
    return str(tmp_path)


@pytest.mark.parametrize("subset", [None, "helpful-base"])
def test_a_data_set_is_streamed(data_set, subset):
    pytest.importorskip("datasets")
    rows = list(hub_rows(QueriesConfig(source=data_set, subset=subset), 0))
    assert [number for number, _ in rows] == list(range(1, 31))
    assert rows[0][1]["chosen"].startswith("\n\nHuman: 0?")


def test_a_data_set_is_shuffled_by_the_seed(data_set):
    pytest.importorskip("datasets")
    config = QueriesConfig(source=data_set, shuffle=True)
    one, again, two = ([row["chosen"] for _, row in hub_rows(config, seed)] for seed in (1, 1, 2))
    assert one == again != two
    assert sorted(one) == sorted(two)


def test_a_split_that_is_not_there(data_set):
    pytest.importorskip("datasets")
    with pytest.raises(InputError, match=r"cannot be opened .*Bad split: nope.*check its id"):
        list(hub_rows(QueriesConfig(source=data_set, split="nope"), 0))


@pytest.mark.skipif(not SHARED.exists(), reason="needs the prompts in ../shared/data/queries")
def test_real_prompt_files():
    found = read(SHARED / "oasst_model_eval_prompts.jsonl")
    assert len(texts(found)) == 1272
    assert problems(found) == []
