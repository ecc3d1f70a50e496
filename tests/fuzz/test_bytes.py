"""Damaged files of every format that is read: a value or a Fault, and nothing else."""

import json
import struct
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.pipeline.files import META
from tests.fuzz.drawing import changed, damaged, drawn, value_or_fault
from tests.fuzz.formats import ALL, JSON, LABELS, PARAMS, TENSORS

TOKENS = [*"[]{}:,&*<-?\n\t'\"a01.e|>!%#~@` ", "  ", "<<: *a", "&a"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def in_the_project():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


def written(format, folder):
    """The path of a valid file, and its content."""
    path = folder / format.name
    format.write(path)
    return path, path.read_bytes()


def check(format, path, content):
    path.write_bytes(content)
    with warnings.catch_warnings(action="ignore"):  # Pillow's, of files that it reads all the same
        value_or_fault(format.read, path)


def parts(content):
    """The header of a safetensors file, its metadata among it as a tree, and its tensors."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"][META] = json.loads(header["__metadata__"][META])
    return header, content[8 + size :]


def joined(header, tensors):
    about = header.get("__metadata__")
    if isinstance(about, dict) and META in about:
        header = {**header, "__metadata__": {**about, META: json.dumps(about[META])}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


@pytest.mark.parametrize("name", ALL)
def test_a_valid_file_is_read(name, tmp_path):
    path, _ = written(ALL[name], tmp_path)
    assert ALL[name].read(path) is not None


@pytest.mark.parametrize("name", ALL)
def test_damaged_bytes(name, tmp_path):
    path, content = written(ALL[name], tmp_path)

    @given(damaged(st.just(content)))
    @drawn
    def fuzz(bad):
        check(ALL[name], path, bad)

    fuzz()


@pytest.mark.parametrize("name", TENSORS)
def test_changed_headers_of_tensors(name, tmp_path):
    path, content = written(TENSORS[name], tmp_path)
    header, tensors = parts(content)

    @given(changed(st.just(header)))
    @drawn
    def fuzz(bad):
        check(TENSORS[name], path, joined(bad, tensors))

    fuzz()


@pytest.mark.parametrize("name", TENSORS)
def test_changed_metadata_of_tensors(name, tmp_path):
    path, content = written(TENSORS[name], tmp_path)
    header, tensors = parts(content)

    @given(changed(st.just(header["__metadata__"][META])))
    @drawn
    def fuzz(bad):
        check(TENSORS[name], path, joined({**header, "__metadata__": {META: bad}}, tensors))

    fuzz()


@pytest.mark.parametrize("name", JSON)
def test_changed_json(name, tmp_path):
    path, content = written(JSON[name], tmp_path)

    @given(changed(st.just(json.loads(content))))
    @drawn
    def fuzz(bad):
        check(JSON[name], path, json.dumps(bad).encode())

    fuzz()


def test_changed_headers_of_arrays(tmp_path):
    path, content = written(LABELS, tmp_path)
    header = {"descr": "<i8", "fortran_order": False, "shape": [3]}

    @given(changed(st.just(header)), st.booleans())
    @drawn
    def fuzz(bad, listed):
        shape = bad.get("shape")
        tree = bad if listed or not isinstance(shape, list) else {**bad, "shape": tuple(shape)}
        text = repr(tree).encode("utf-8", "backslashreplace")
        check(LABELS, path, content[:8] + struct.pack("<H", len(text)) + text + bytes(24))

    fuzz()


def test_any_yaml(tmp_path):
    path = tmp_path / PARAMS.name

    @given(st.lists(st.sampled_from(TOKENS)))
    @drawn
    def fuzz(tokens):
        check(PARAMS, path, "".join(["a: ", *tokens]).encode())

    fuzz()
