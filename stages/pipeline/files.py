"""Files in and out: written to a temporary name and renamed, byte-identical for equal content."""

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from stages.pipeline.fault import Fault
from stages.pipeline.headers import check_safetensors, npy_layout

META = "json"
LONGEST_TEXT = 2**24
"""Bytes of a text file that is read: many times what any of ours has."""
LONGEST_REASON = 200
UNKNOWN = (TypeError, AttributeError, ValueError)
"""What comes of a tensor of a type or a rank that numpy has not."""


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block ends without error.

    The file has the permissions that the umask gives it, whoever wrote it: safetensors' own are
    the owner's alone.
    """
    path = Path(path)
    check_target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.touch()
        mode = aside.stat().st_mode
        yield aside
        aside.chmod(mode)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Have a file in a second place: a hard link, or a copy where the file system makes none.

    Only for files that are replaced and never written in place: all links would change with them.
    """
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def is_inside(path: Path | str, folder: Path | str = "") -> bool:
    """Whether a path is in a folder, the current one by default, once its links are followed."""
    return Path(path).resolve().is_relative_to(Path(folder).resolve())


def check_target(path: Path) -> None:
    """Raise a Fault where a file cannot be put, or would replace what is no file: a device, say."""
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise Fault(f"{path} is {kind}; it should be a file, or not there yet")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise Fault(f"{path} is below {above.name}, which is a file; it should be below a folder")


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path | str, value: Any, digits: int | None = None) -> None:
    """Write canonical JSON: sorted keys, floats rounded to `digits` decimals (None: exact).

    Each key of an object and each object of a list has a line, and numbers of a list share one, so
    that git compares what belongs together.
    """
    write_text(path, _laid_out(value if digits is None else _rounded(value, digits)) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; a Fault when it is missing or no JSON."""
    try:
        return _parsed(read_text(path))
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` to make it") from None
    except ValueError as error:
        raise Fault(f"{path}: not valid JSON ({_line(error)})") from None


def read_text(path: Path | str) -> str:
    """Read UTF-8 text; a Fault when it is longer than any of ours."""
    path = Path(path)
    size = path.stat().st_size
    if size > LONGEST_TEXT:
        raise Fault(f"{path}: has {size} bytes; allowed are {LONGEST_TEXT}")
    return path.read_text(encoding="utf-8")


def save_arrays(
    path: Path | str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None
) -> None:
    """Write named arrays as safetensors; `meta` becomes one metadata key of sorted JSON."""
    text = {META: json.dumps(meta, sort_keys=True)} if meta is not None else None
    whole = {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    with replacing(path) as aside:
        try:
            save_file(whole, aside, metadata=text)
        except SafetensorError as error:
            raise _of_system(error, path) from None


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
        found = npy_layout(path)
        array = np.lib.format.open_memmap(path, mode="r")
    if found != (np.dtype(dtype), tuple(shape)):
        raise Fault(
            f"{path}: holds {found[0]} {list(found[1])}; "
            f"it should be {np.dtype(dtype)} {list(shape)}"
        )
    return np.asarray(array)


def load_array(path: Path | str, dtype: type[np.generic]) -> np.ndarray:
    """Read a .npy file; a Fault when it is missing or damaged, or when its type is another."""
    with _reading_npy(path):
        found, _ = npy_layout(path)
        array = np.load(path, allow_pickle=False)
    if found != np.dtype(dtype):
        raise Fault(f"{path}: holds {found}; it should be {np.dtype(dtype)}")
    return np.asarray(array)


def read_meta(path: Path | str) -> dict[str, Any]:
    """Read the metadata that `save_arrays` wrote; a Fault when there is none."""
    with _opened(path) as file:
        meta = file.metadata() or {}
    if META not in meta:
        raise Fault(f"{path}: holds no metadata under the key {META!r}")
    try:
        return dict(_parsed(meta[META]))
    except (TypeError, ValueError) as error:
        raise Fault(f"{path}: its metadata is no JSON object ({_line(error)})") from None


@contextmanager
def _reading_npy(path: Path | str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` to make it") from None
    except Exception as error:  # numpy parses the header as Python, which fails in many ways
        raise Fault(f"{path}: not a readable .npy file ({_line(error)})") from None


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    try:
        check_safetensors(path)
        with safe_open(path, framework="numpy") as file:
            yield file
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run `dvc repro` to make it") from None
    except (SafetensorError, OSError, *UNKNOWN) as error:
        raise Fault(f"{path}: not a readable safetensors file ({_line(error)})") from None


def _parsed(text: str) -> Any:
    """Return what a text of JSON holds; a ValueError when it is none, or nested without end."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _line(error: Exception) -> str:
    """Return the text of an error of a library, which may quote the file, as one short line."""
    text = " ".join(f"{error}".split()) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text[:LONGEST_REASON])


def _of_system(error: SafetensorError, path: Path | str) -> Exception:
    """Return the system's error that safetensors tells of in words, a full disk say."""
    number = re.search(r"(?:code:|os error) (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path)) if number else error


def _laid_out(value: Any, margin: str = "\n") -> str:
    """Return JSON in lines; `margin` begins those of its level."""
    inner = margin + " "
    if isinstance(value, Mapping) and value:
        lines = (f"{json.dumps(key)}: {_laid_out(value[key], inner)}" for key in sorted(value))
        return "{" + inner + f",{inner}".join(lines) + margin + "}"
    items = value if isinstance(value, list | tuple) else ()
    if any(isinstance(item, Mapping) for item in items):
        return "[" + inner + f",{inner}".join(map(_in_line, items)) + margin + "]"
    return _in_line(value)


def _in_line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, digits) for item in value]
    return value
