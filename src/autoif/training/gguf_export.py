"""A tuned policy as a GGUF file, so that the CPU engine can run it, and its reference in the same form.

Both are written from one base file: its metadata and tokenizer are copied, its matrices written as F16 (the exactest
type that OpenVINO reads) and rounded with the same draws. Policy and reference therefore differ in nothing but the
training, and a comparison of the two is fair.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoif.errors import InputError
from autoif.training.rounding import F16, dithered

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFReader, GGUFWriter, ReaderTensor

Array = Any
Weights = Mapping[str, Callable[[], Array]]
"""Tensors by their GGUF name, read when asked for."""

PERMUTED = {"llama": True, "qwen2": False, "qwen3": False}
"""Architectures known here, and whether their query and key rows are reordered from Hugging Face's to GGUF's rotary."""


def write_gguf(checkpoint: Path, base: Path, out: Path) -> Path:
    """Writes the weights of a Hugging Face folder (safetensors) into `out`, everything else copied from `base`.

    Raises InputError when the two are not the same architecture and shape, or the folder is a LoRA adapter.
    """
    reader = _read(base)
    return _write(reader, _from_folder(checkpoint, reader), out)


def reference_gguf(base: Path, cache: Path) -> Path:
    """The untrained model in the form that `write_gguf` gives the tuned one: dequantised, written once into `cache`.

    Raises InputError when `base` is not a GGUF file.
    """
    try:
        state = base.stat()
    except OSError as error:
        raise _unreadable(base, error) from None
    out = cache / f"{base.stem}.{state.st_size:x}-{state.st_mtime_ns:x}.f16.gguf"
    if out.is_file():
        return out
    reader = _read(base)
    return _write(reader, {t.name: _dequantised(t) for t in reader.tensors}, out)


def _write(reader: GGUFReader, weights: Weights, out: Path) -> Path:
    """The file appears under its name only when it is whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f"{out.name}.{os.getpid()}.partial")
    try:
        _fill(partial, reader, weights)
        return partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _fill(out: Path, reader: GGUFReader, weights: Weights) -> None:
    """Metadata first, then one tensor after another: only one is in memory."""
    import numpy as np
    from gguf import GGUFWriter

    writer = GGUFWriter(out, _value(reader, "general.architecture"))
    _copy_metadata(reader, writer)
    for tensor in reader.tensors:
        shape = _shape(tensor)
        width = _width(tensor)
        writer.add_tensor_info(tensor.name, shape, np.dtype(f"f{width}"), width * math.prod(shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in reader.tensors:
        values = weights[tensor.name]()
        if _width(tensor) == 2:
            values = dithered(values, tensor.name, F16)
        writer.write_tensor_data(values.astype(f"f{_width(tensor)}"))
    writer.close()


def _copy_metadata(reader: GGUFReader, writer: GGUFWriter) -> None:
    from gguf import LlamaFileType

    written_by_writer = ("GGUF.", "general.architecture", "general.file_type")
    for field in reader.fields.values():
        if not field.name.startswith(written_by_writer):
            inner = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)


def _width(tensor: ReaderTensor) -> int:
    """Bytes of one value: float32 for vectors (norms, biases), float16 for matrices."""
    return 4 if len(tensor.shape) == 1 else 2


def _from_folder(checkpoint: Path, reader: GGUFReader) -> dict[str, Callable[[], Array]]:
    """The folder's tensors by GGUF name, checked against the base: same names, same shapes."""
    weights = {t.name: _dequantised(t) for t in reader.tensors if t.name == "rope_freqs.weight"}
    rename = _names(reader)
    shapes = {tensor.name: _shape(tensor) for tensor in reader.tensors}
    for name, shape, load in _tensors(checkpoint):
        target = rename(name)
        if target == "output.weight" and target not in shapes:
            continue  # tied to the embedding, which the base holds once
        if shapes.get(target) != shape:
            raise InputError(
                f"{checkpoint}: {name} {list(shape)} has no equal in the base GGUF; give the model it was trained from."
            )
        weights[target] = _permuted(target, load, reader)
    if missing := shapes.keys() - weights.keys():
        raise InputError(
            f"{checkpoint}: has no weights for {min(missing)} of the base GGUF; give the model it was trained from."
        )
    return weights


def _tensors(checkpoint: Path) -> Iterator[tuple[str, tuple[int, ...], Callable[[], Array]]]:
    from safetensors import safe_open

    files = sorted(checkpoint.glob("model*.safetensors"))
    if not files:
        raise InputError(
            f"{checkpoint}: expected a Hugging Face folder with model.safetensors (merge a LoRA adapter first)."
        )
    for file in files:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118  (not a dict)
                yield (name, tuple(opened.get_slice(name).get_shape()), _loader(file, name))


def _loader(file: Path, name: str) -> Callable[[], Array]:
    def load() -> Array:
        from safetensors import safe_open

        with safe_open(file, framework="pt") as opened:
            return opened.get_tensor(name).float().numpy()

    return load


def _permuted(target: str, load: Callable[[], Array], reader: GGUFReader) -> Callable[[], Array]:
    """Hugging Face pairs rotary dimension i with i + d/2 in each head, GGUF's llama i with i + 1."""
    architecture = _value(reader, "general.architecture")
    heads = {"attn_q": "head_count", "attn_k": "head_count_kv"}.get(target.split(".")[-2])
    if heads is None or not PERMUTED[architecture]:
        return load
    count = int(_value(reader, f"{architecture}.attention.{heads}"))

    def permute() -> Array:
        rows = load()
        return rows.reshape(count, 2, rows.shape[0] // count // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)

    return permute


def _names(reader: GGUFReader) -> Callable[[str], str]:
    """Hugging Face's name of a tensor to GGUF's."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    architecture = _value(reader, "general.architecture")
    if architecture not in PERMUTED:
        known = ", ".join(PERMUTED)
        raise InputError(
            f"GGUF files of the {architecture} architecture cannot be written (known: {known});"
            " use the transformers engine."
        )
    kinds = {name: kind for kind, name in MODEL_ARCH_NAMES.items()}
    table = get_tensor_name_map(kinds[architecture], int(_value(reader, f"{architecture}.block_count")))
    return lambda name: table.get_name(name, try_suffixes=(".weight", ".bias")) or name


def _read(base: Path) -> GGUFReader:
    from gguf import GGUFReader

    try:
        return GGUFReader(base)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise _unreadable(base, error) from None


def _unreadable(base: Path, error: Exception) -> InputError:
    return InputError(f"{base}: cannot be read as a GGUF file ({error}); give the GGUF file of the base model.")


def _dequantised(tensor: ReaderTensor) -> Callable[[], np.ndarray[Any, Any]]:
    from gguf.quants import dequantize

    return lambda: dequantize(tensor.data, tensor.tensor_type)


def _value(reader: GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    if field is None:
        raise InputError(f"The GGUF file has no {key}; it is not a language model that can be rewritten.")
    return field.contents()


def _shape(tensor: ReaderTensor) -> tuple[int, ...]:
    """In Hugging Face's order, rows first; GGUF counts from the innermost dimension."""
    return tuple(int(n) for n in reversed(tensor.shape))
