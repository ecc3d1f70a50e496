"""Files that are made to take all memory, all time, or the process with them."""

import json
import struct
import sys

import pytest

from tests.hostile import said_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
READ = """
from stages.pipeline.files import load_array, load_arrays, map_array, read_json, read_meta
from stages.pipeline.params import read_yaml
READERS = {
    ".arrays": load_arrays,
    ".meta": read_meta,
    ".json": read_json,
    ".yaml": read_yaml,
    ".npy": lambda path: load_array(path, np.int64),
    ".mapped": lambda path: map_array(path, np.int64, (10**12, 10**12)),
}
def read(path): return READERS[path.suffix](path)
"""


def tensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape, begin, end, kind="F32"):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def npy(shape, kind="<i8"):
    header = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def laughs(first, item, levels=12, count=10):
    lines = [f"a0: &a0 {first}"]
    for level in range(1, levels):
        entries = ", ".join(item.format(i, level - 1) for i in range(count))
        lines.append(f"a{level}: &a{level} " + ("{%s}" if "{" in first else "[%s]") % entries)
    return "\n".join(lines).encode()


def merges(levels=12, count=50):
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, levels):
        known = ", ".join(count * [f"*a{level - 1}"])
        lines.append(f"a{level}: &a{level}\n  <<: [{known}]\n  x{level}: 1")
    return "\n".join(lines).encode()


TOO_MUCH = "it holds more than 100000 values, or 100 in one another"
TWICE = b"{" + b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' * 2 + b'"b":0}'
CASES = {
    "a header of 2**60 bytes": ("arrays", lambda: tensors(b"{}", length=2**60), "header has 115"),
    "a million tensors": (
        "arrays",
        lambda: tensors({f"{i}": tensor([0], 0, 0) for i in range(10**6)}),
        "its header has",
    ),
    "metadata of 90 MB": (
        "meta",
        lambda: tensors({"__metadata__": {"json": 90_000_000 * "x"}}),
        "its header has",
    ),
    "overlapping tensors": (
        "arrays",
        lambda: tensors({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)),
        "invalid offset",
    ),
    "a tensor beyond the end": (
        "arrays",
        lambda: tensors({"a": tensor([2], 0, 8)}, bytes(4)),
        "not a readable safetensors file",
    ),
    "a shape that is not its bytes": (
        "arrays",
        lambda: tensors({"a": tensor([3], 0, 8)}, bytes(8)),
        "not a readable safetensors file",
    ),
    "a shape of 2**80": (
        "arrays",
        lambda: tensors({"a": tensor([2**40, 2**40], 0, 8)}, bytes(8)),
        "overflow",
    ),
    "a tensor named twice": ("arrays", lambda: tensors(TWICE, bytes(1)), "names 'a' twice"),
    "a hundred dimensions": (
        "arrays",
        lambda: tensors({"a": tensor(100 * [1], 0, 4)}, bytes(4)),
        "not a readable safetensors file",
    ),
    "a type numpy has not": (
        "arrays",
        lambda: tensors({"a": tensor([2], 0, 4, "BF16")}, bytes(4)),
        "not a readable safetensors file",
    ),
    "a header nested 100,000 deep": ("arrays", lambda: tensors(10**5 * b"["), "nested too deep"),
    "metadata nested 100,000 deep": (
        "meta",
        lambda: tensors({"__metadata__": {"json": 10**5 * "["}}),
        "nested too deep",
    ),
    "metadata that is a number": (
        "meta",
        lambda: tensors({"__metadata__": {"json": "5"}}),
        "its metadata is no JSON object",
    ),
    "JSON nested 100,000 deep": (
        "json",
        lambda: 10**5 * b"[" + 10**5 * b"]",
        "not valid JSON (it is nested too deep)",
    ),
    "JSON of 17 MB": ("json", lambda: b"[" + 17 * 2**20 * b" " + b"]", "has 17825794 bytes"),
    "a number of 5,000 digits": ("json", lambda: 5000 * b"1", "not valid JSON (Exceeds the limit"),
    "an array of 7 TiB": ("npy", lambda: npy((10**12,)), "and 0 bytes follow"),
    "an array of 7 TiB to map": ("mapped", lambda: npy((10**12, 10**12)), "and 0 bytes follow"),
    "an array of negative size": ("npy", lambda: npy((-1, -1)) + bytes(8), "and 8 bytes follow"),
    "an array of objects": ("npy", lambda: npy((1,), "|O") + bytes(8), "and 8 bytes follow"),
    "a header of 9,000 brackets": (
        "npy",
        lambda: b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + 9000 * b"(",
        "not a readable .npy file",
    ),
    "a header of 9,000 signs": (
        "npy",
        lambda: b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + 9000 * b"-",
        "not a readable .npy file",
    ),
    "a zip in place of an array": ("npy", lambda: b"PK\x03\x04" + bytes(99), "magic string"),
    "200,000 brackets": ("yaml", lambda: b"a: " + 200_000 * b"[" + 200_000 * b"]", TOO_MUCH),
    "200,000 open brackets": ("yaml", lambda: 200_000 * b"[", TOO_MUCH),
    "50,000 braces": ("yaml", lambda: 50_000 * b"{a: ", TOO_MUCH),
    "200,000 dashes": ("yaml", lambda: b"a:\n  " + 200_000 * b"- " + b"1", TOO_MUCH),
    "5,000,000 values": ("yaml", lambda: b"a: [" + 5_000_000 * b"1," + b"]", TOO_MUCH),
    "lists of lists": ("yaml", lambda: laughs("[1, 1]", "*a{1}"), TOO_MUCH),
    "mappings of mappings": ("yaml", lambda: laughs("{x: 1}", "k{0}: *a{1}"), TOO_MUCH),
    "merges of merges": ("yaml", merges, TOO_MUCH),
    "a key of lists": ("yaml", lambda: laughs("[1]", "*a{1}") + b"\n? *a11\n: 1", TOO_MUCH),
    "a number of 2,000,000 bits": (
        "yaml",
        lambda: b"a: 0x" + 500_000 * b"f",
        "a is a whole number of more than 64 bits",
    ),
    "YAML of 17 MB": ("yaml", lambda: b"a: " + 17 * 2**20 * b"x", "has 17825795 bytes"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What is said of each file, by the name of its case."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = {}
    for number, (name, (kind, content, _)) in enumerate(CASES.items()):
        paths[name] = folder / f"{number:03}.{kind}"
        paths[name].write_bytes(content())
    lines = said_of(paths.values(), READ)
    return {name: lines.get(path, "nothing") for name, path in paths.items()}


@pytest.mark.parametrize(("name", "line"), [(name, case[2]) for name, case in CASES.items()])
def test_it_is_refused_in_one_short_line_and_little_memory(name, line, said):
    assert line in said[name]
    assert not said[name].startswith("read: ")
    assert "\n" not in said[name]
    assert len(said[name]) < 300
