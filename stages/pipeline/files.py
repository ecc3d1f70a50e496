"""Files in and out: written to a temporary name and renamed, byte-identical for equal content."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from stages.pipeline.fault import Fault

META = "json"


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path | str, value: Any, digits: int | None = None) -> None:
    """Write canonical JSON: sorted keys, floats rounded to `digits` decimals (None: exact)."""
    rounded = value if digits is None else _rounded(value, digits)
    write_text(path, json.dumps(rounded, sort_keys=True, indent=1, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; a Fault when it is missing or no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` to make it") from None
    except ValueError as error:
        raise Fault(f"{path}: not valid JSON ({error})") from None


def save_arrays(
    path: Path | str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None
) -> None:
    """Write named arrays as safetensors; `meta` becomes one metadata key of sorted JSON."""
    text = {META: json.dumps(meta, sort_keys=True)} if meta is not None else None
    whole = {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    with replacing(path) as aside:
        save_file(whole, aside, metadata=text)


def load_arrays(path: Path | str) -> dict[str, np.ndarray]:
    """Read all arrays of a safetensors file; a Fault when it is missing or damaged."""
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def save_rows(
    path: Path | str, dtype: type[np.generic], shape: Sequence[int], parts: Iterable[np.ndarray]
) -> None:
    """Write an array as .npy from consecutive parts of its rows: the whole is never in memory."""
    kind = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": kind, "fortran_order": False, "shape": tuple(shape)}
    with replacing(path) as aside, aside.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data)


def map_array(path: Path | str, dtype: type[np.generic], shape: Sequence[int]) -> np.ndarray:
    """Map a .npy file: read-only, read from disk where it is touched, shared between processes.

    A Fault when it is missing or damaged, or when its type or shape is another.
    """
    with _reading_npy(path):
        array = np.lib.format.open_memmap(path, mode="r")
    if (array.dtype, array.shape) != (np.dtype(dtype), tuple(shape)):
        raise Fault(
            f"{path}: holds {array.dtype} {list(array.shape)}; "
            f"it should be {np.dtype(dtype)} {list(shape)}"
        )
    return np.asarray(array)


def load_array(path: Path | str) -> np.ndarray:
    """Read a .npy file; a Fault when it is missing or damaged."""
    with _reading_npy(path):
        return np.asarray(np.load(path, allow_pickle=False))


def read_meta(path: Path | str) -> dict[str, Any]:
    """Read the metadata that `save_arrays` wrote; a Fault when there is none."""
    with _opened(path) as file:
        meta = file.metadata() or {}
    if META not in meta:
        raise Fault(f"{path}: holds no metadata under the key {META!r}")
    return dict(json.loads(meta[META]))


@contextmanager
def _reading_npy(path: Path | str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` to make it") from None
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise Fault(f"{path}: not a readable .npy file ({reason})") from None


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` to make it") from None
    except SafetensorError as error:
        raise Fault(f"{path}: not a readable safetensors file ({error})") from None


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, digits) for item in value]
    return value
