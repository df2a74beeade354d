"""Files written from the Llama in miniature, read back by transformers: its own reader undoes the permutation."""

from pathlib import Path
from typing import Any

import pytest

gguf = pytest.importorskip("gguf")
pytest.importorskip("torch")

from autoif.errors import InputError  # noqa: E402
from autoif.training import reference_gguf, write_gguf  # noqa: E402


@pytest.fixture(scope="module")
def checkpoint(tiny_llama: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(tiny_llama / "model.safetensors")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, checkpoint: dict[str, Any]) -> Path:
    """A quantised GGUF file of the right shape with other weights."""
    return make_base(tmp_path_factory.mktemp("base") / "tiny.Q8_0.gguf", checkpoint)


def make_base(path: Path, checkpoint: dict[str, Any], architecture: str = "llama") -> Path:
    import numpy as np

    vocabulary, hidden = checkpoint["model.embed_tokens.weight"].shape
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(2)
    writer.add_context_length(512)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(checkpoint["model.layers.0.mlp.up_proj.weight"].shape[0])
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_vocab_size(vocabulary)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_string("general.license", "apache-2.0")
    writer.add_array("tokenizer.ggml.tokens", ["a", "é", "\u0120b"])
    writer.add_array("tokenizer.ggml.scores", [0.5, -1.0, 2.0])
    writer.add_bool("tokenizer.ggml.add_bos_token", False)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    noise = np.random.default_rng(1)
    for name, tensor in checkpoint.items():
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        values = noise.normal(size=tuple(tensor.shape)).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0 if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(target, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read_back(file: Path) -> dict[str, Any]:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    return dict(model.state_dict())


def fields(file: Path) -> dict[str, Any]:
    return {f.name: f.contents() for f in gguf.GGUFReader(file).fields.values() if not f.name.startswith("GGUF.")}


def test_weights_come_back(tiny_llama: Path, checkpoint: dict[str, Any], base: Path, tmp_path: Path) -> None:
    back = read_back(write_gguf(tiny_llama, base, tmp_path / "new" / "policy.gguf"))
    assert back.keys() == checkpoint.keys()
    for name, tensor in checkpoint.items():
        assert (back[name].float() - tensor).abs().max() < 2e-4, name
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "policy.gguf"]


def test_metadata_and_tokenizer_are_the_bases(tiny_llama: Path, base: Path, tmp_path: Path) -> None:
    written = fields(write_gguf(tiny_llama, base, tmp_path / "policy.gguf"))
    assert written.pop("general.file_type") == gguf.LlamaFileType.MOSTLY_F16
    expected = fields(base)
    del expected["general.file_type"]
    assert written == expected


def test_reference_has_the_values_of_the_base(base: Path, tmp_path: Path) -> None:
    written = reference_gguf(base, tmp_path)
    old, new = ({t.name: t for t in gguf.GGUFReader(file).tensors} for file in (base, written))
    assert old.keys() == new.keys()
    for name, tensor in old.items():
        wanted = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        found = gguf.quants.dequantize(new[name].data, new[name].tensor_type)
        assert abs(found - wanted).max() <= abs(wanted).max() * 2**-10


def test_reference_is_written_once_for_each_base(base: Path, checkpoint: dict[str, Any], tmp_path: Path) -> None:
    first = reference_gguf(base, tmp_path / "cache")
    written = first.stat().st_mtime_ns
    assert reference_gguf(base, tmp_path / "cache") == first
    assert first.stat().st_mtime_ns == written
    other = make_base(tmp_path / base.name, checkpoint)
    assert reference_gguf(other, tmp_path / "cache") != first


def test_another_shape_is_refused(tiny_llama: Path, checkpoint: dict[str, Any], tmp_path: Path) -> None:
    import torch

    rows, columns = checkpoint["model.layers.1.mlp.up_proj.weight"].shape
    wider = checkpoint | {"model.layers.1.mlp.up_proj.weight": torch.zeros(rows + 32, columns)}
    base = make_base(tmp_path / "wider.gguf", wider)
    with pytest.raises(InputError, match=rf"up_proj\.weight \[{rows}, {columns}\] has no equal in the base GGUF"):
        write_gguf(tiny_llama, base, tmp_path / "policy.gguf")
    assert list(tmp_path.iterdir()) == [base]


def test_a_tensor_too_few_is_refused(tiny_llama: Path, checkpoint: dict[str, Any], tmp_path: Path) -> None:
    import torch

    deeper = checkpoint | {"model.layers.1.self_attn.q_proj.bias": torch.zeros(64)}
    base = make_base(tmp_path / "deeper.gguf", deeper)
    with pytest.raises(InputError, match=r"has no weights for blk\.1\.attn_q\.bias"):
        write_gguf(tiny_llama, base, tmp_path / "policy.gguf")


def test_an_unknown_architecture_is_refused(tiny_llama: Path, checkpoint: dict[str, Any], tmp_path: Path) -> None:
    base = make_base(tmp_path / "gemma.gguf", checkpoint, architecture="gemma2")
    with pytest.raises(InputError, match="gemma2 architecture cannot be written"):
        write_gguf(tiny_llama, base, tmp_path / "policy.gguf")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + b"\xff" * 64, b"not a model at all, just some text here"])
def test_a_broken_base_is_refused(tiny_llama: Path, tmp_path: Path, content: bytes) -> None:
    base = tmp_path / "broken.gguf"
    base.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.gguf: cannot be read as a GGUF file"):
        reference_gguf(base, tmp_path)


def test_a_missing_base_and_an_adapter_folder_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.gguf: cannot be read"):
        reference_gguf(tmp_path / "nothing.gguf", tmp_path)
    with pytest.raises(InputError, match="expected a Hugging Face folder"):
        write_gguf(tmp_path, base, tmp_path / "policy.gguf")
