"""Configs: every key documented, every mistake answered with its place."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.config import Config, Section
from autoif.config_file import load_config, parse_config
from autoif.errors import InputError

SHIPPED = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "c.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_defaults_and_the_run_directory(tmp_path):
    config = load_config(write(tmp_path, ""))
    assert config.run == "runs/c"
    assert config == Config(run="runs/c")


def test_overrides(tmp_path):
    config = load_config(
        write(tmp_path, "seed: 1"), ("completions.per_instruction=16", "queries.language=null", "seed=2")
    )
    assert (config.completions.per_instruction, config.queries.language, config.seed) == (16, None, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("querys: {}", "unknown key querys; the nearest known key is queries"),
        ("queries: {limits: 3}", "unknown key queries.limits; the nearest known key is queries.limit"),
        ("train: {lora: {ranks: 3}}", "unknown key train.lora.ranks; the nearest known key is train.lora.rank"),
        ("queries: {limit: many}", "queries.limit: input should be a valid integer"),
        ("queries: 3", "queries: input should be a valid dictionary"),
        ("pairs: {chosen_at: 0.2, rejected_at: 0.4}", "rejected_at must be below chosen_at"),
        ("a: [1, 2", "line 1: is not valid YAML"),
        ("a: b: c", "line 1: is not valid YAML"),
        ("- 1\n- 2", "expected `key: value` lines at the top level, found a list"),
        ("just text", "found a str"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"a: \x00", "is not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']", "is not valid YAML"),
        ("1: 2", "1: keys should be strings"),
        ("run: 2001-99-99", "is not valid YAML"),
    ],
)
def test_every_mistake_is_one_sentence_with_its_place(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        load_config(write(tmp_path, text))
    assert message in str(error.value)
    assert str(tmp_path / "c.yaml") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("override", ["seed", "=3", "seed.a=3", "queries={"])
def test_overrides_that_make_no_sense(tmp_path, override):
    with pytest.raises(InputError):
        load_config(write(tmp_path, "seed: 1"), (override,))


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none.yaml: cannot be read \(No such file"):
        load_config(tmp_path / "none.yaml")


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_loader(tmp_path_factory, content):
    with contextlib.suppress(InputError):
        load_config(write(tmp_path_factory.mktemp("c"), content))


def sections(section: type[Section]):
    yield section
    for field in section.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, Section):
                yield from sections(kind)


def test_every_key_is_documented():
    for section in sections(Config):
        for name, field in section.model_fields.items():
            is_section = isinstance(field.annotation, type) and issubclass(field.annotation, Section)
            assert field.description or is_section, f"{section.__name__}.{name} has no docstring"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_load(path):
    assert load_config(path).run == f"runs/{path.stem}"


def test_parse_config_names_where():
    with pytest.raises(InputError, match=r"^here: unknown key x"):
        parse_config({"x": 1}, "here")
