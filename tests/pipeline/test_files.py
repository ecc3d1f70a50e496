import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.files import (
    load_array,
    load_arrays,
    map_array,
    read_json,
    read_meta,
    replacing,
    save_arrays,
    save_rows,
    write_json,
    write_text,
)

ROOT = Path(__file__).parents[2]
WRITE = """
import sys
import numpy as np
from stages.pipeline.files import save_arrays, write_json
names = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta"}
meta = {name: {n: len(n) for n in names} for name in names}
arrays = {name: np.arange(len(name), dtype=t) for name in names for t in (np.int64, np.float32)}
save_arrays(f"{sys.argv[1]}/arrays", arrays, meta)
write_json(f"{sys.argv[1]}/json", meta)
"""


@pytest.fixture
def written(tmp_path):
    """Return a function that writes files in a process of its own hash seed."""

    def write(seed):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", WRITE, folder]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return write


def test_two_processes_write_the_same_bytes(written):
    assert written("1") == written("2")


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "image": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "count": np.array(7, dtype=np.int64),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
        "curve": np.array([np.pi, 1e-300]),
    }
    save_arrays(tmp_path / "a", arrays)
    loaded = load_arrays(tmp_path / "a")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
        assert loaded[name].tobytes() == array.tobytes()


def test_strided_arrays_are_written_as_they_read(tmp_path):
    array = np.arange(12.0).reshape(3, 4).T[::2]
    save_arrays(tmp_path / "a", {"x": array})
    assert np.array_equal(load_arrays(tmp_path / "a")["x"], array)


def test_the_metadata_is_one_key_of_sorted_json(tmp_path):
    save_arrays(tmp_path / "a", {"x": np.zeros(1)}, {"b": [1, None], "a": {"d": 0.1, "c": "x"}})
    assert read_meta(tmp_path / "a") == {"a": {"c": "x", "d": 0.1}, "b": [1, None]}
    raw = (tmp_path / "a").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert header["__metadata__"] == {"json": '{"a": {"c": "x", "d": 0.1}, "b": [1, null]}'}


def test_json_is_sorted_rounded_and_ends_its_last_line(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1 / 3, 2], "a": {"c": (1e-9, None)}}, digits=3)
    assert (tmp_path / "a.json").read_bytes() == (
        b'{\n "a": {\n  "c": [0.0, null]\n },\n "b": [0.333, 2]\n}\n'
    )


def test_json_has_a_line_for_each_key_and_each_object_of_a_list(tmp_path):
    value = {"runs": [{"seed": 1, "loss": [0.5, 0.25]}, {"seed": 2, "loss": []}], "a": {}, "b": []}
    write_json(tmp_path / "a.json", value)
    lines = [
        "{",
        ' "a": {},',
        ' "b": [],',
        ' "runs": [',
        '  {"loss": [0.5, 0.25], "seed": 1},',
        '  {"loss": [], "seed": 2}',
        " ]",
        "}",
    ]
    assert (tmp_path / "a.json").read_text().splitlines() == lines
    assert read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize("value", [3, "x", None, [[1, 2], [3]], {"é": {"b": [None, True]}}, []])
def test_json_reads_as_it_was_written(tmp_path, value):
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value


def test_json_is_exact_unless_it_is_rounded(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1 / 3})
    assert read_json(tmp_path / "a.json") == {"x": 1 / 3}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_nan_and_leaves_the_old_file(value, tmp_path):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": value}, digits=3)
    assert read_json(tmp_path / "a.json") == 1


def test_text_is_utf8_with_unix_line_ends_in_folders_made_for_it(tmp_path):
    write_text(tmp_path / "new" / "folder" / "a.txt", "η\n")
    assert (tmp_path / "new" / "folder" / "a.txt").read_bytes() == b"\xce\xb7\n"


def map_labels(path):
    return map_array(path, np.int64, (3,))


def load_labels(path):
    return load_array(path, np.int64)


@pytest.mark.parametrize("read", [load_labels, map_labels])
def test_rows_written_in_parts_come_back_whole(read, tmp_path):
    save_rows(tmp_path / "a.npy", np.int64, (3,), [np.array([5]), np.array([7, 2])])
    found = read(tmp_path / "a.npy")
    assert found.tolist() == [5, 7, 2]
    assert found.dtype == np.int64
    assert np.load(tmp_path / "a.npy").tolist() == [5, 7, 2]


@pytest.mark.parametrize("read", [load_labels, map_labels])
def test_rows_that_were_cut_off_are_a_fault(read, tmp_path):
    save_rows(tmp_path / "a.npy", np.int64, (3,), [np.arange(3)])
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-8])
    with pytest.raises(Fault, match=r"/a\.npy: not a readable \.npy file \("):
        read(tmp_path / "a.npy")


def test_a_pickle_is_not_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(Fault, match=r"not a readable \.npy file"):
        load_labels(tmp_path / "a.npy")


@pytest.mark.parametrize(("kind", "shape"), [(np.int64, (4,)), (np.int32, (3,))])
def test_a_mapped_file_of_another_type_or_shape_is_a_fault(kind, shape, tmp_path):
    save_rows(tmp_path / "a.npy", np.int64, (3,), [np.arange(3)])
    with pytest.raises(Fault, match=r"holds int64 \[3\]; it should be"):
        map_array(tmp_path / "a.npy", kind, shape)


@pytest.fixture(params=[0o022, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_json(path, {}),
        lambda path: save_arrays(path, {"x": np.zeros(1)}),
        lambda path: save_rows(path, np.int64, (1,), [np.zeros(1)]),
    ],
    ids=["json", "safetensors", "npy"],
)
def test_the_umask_alone_decides_who_may_read_a_file(write, umask, tmp_path):
    for _ in range(2):  # a new file, and one that is there
        write(tmp_path / "a")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def fail(path):
    with replacing(path) as aside:
        aside.write_text("half")
        raise OSError("disk full")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(OSError, match="disk full"):
        fail(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with replacing(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
        assert aside.parent == path.parent
    assert path.read_text() == "new"


@pytest.mark.parametrize("read", [read_json, load_arrays, load_labels, map_labels, read_meta])
def test_a_missing_file_is_a_fault(read, tmp_path):
    with pytest.raises(Fault, match=r"no\.file: no such file; run `dvc repro` to make it$"):
        read(tmp_path / "no.file")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"\x08\x00\x00\x00\x00\x00\x00\x00{}"])
@pytest.mark.parametrize("read", [read_json, load_arrays, load_labels, map_labels, read_meta])
def test_a_damaged_file_is_a_fault(content, read, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Fault, match=r"/a: not (valid JSON|a readable (safetensors|\.npy) file) \("):
        read(tmp_path / "a")


def test_a_cut_off_file_is_a_fault(tmp_path):
    save_arrays(tmp_path / "a", {"x": np.zeros(100)}, {"k": 1})
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-8])
    with pytest.raises(Fault, match="not a readable safetensors file"):
        load_arrays(tmp_path / "a")


def test_a_file_without_metadata_is_a_fault(tmp_path):
    save_arrays(tmp_path / "a", {"x": np.zeros(1)})
    with pytest.raises(Fault, match="holds no metadata under the key 'json'"):
        read_meta(tmp_path / "a")
