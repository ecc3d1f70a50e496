"""What stands in for DVC's readers of small files returns and leaves what they would."""

import inspect
import json
import os

import pytest
from dvc import dvcfile, rwlock
from dvc.dependency import param
from dvc.fs import localfs
from dvc.utils.serialize import load_yaml, modify_yaml

from stages.runner.dvc.memory import LockFiles, Parameters, Parsed, Rwlock, remember

TEXT = "n: 1\nrate: 1e-05\ntop: {depth: [1, 2]}\n"


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def parses(monkeypatch):
    """The files that DVC parses."""
    seen = []
    parse = inspect.unwrap(param.load_path)
    original = parse._parse if isinstance(parse, Parsed) else parse

    def load_path(path, *more, **options):
        seen.append(path)
        return original(path, *more, **options)

    monkeypatch.setattr(param, "load_path", load_path)
    monkeypatch.setattr(param, "load_path", Parsed())
    return seen


def reader():
    read = param.read_param_file
    return read._read if isinstance(read, Parameters) else read


@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("keys", [None, ["n"], ["top.depth", "rate"], ["absent"]])
def test_values_are_those_of_dvc(params, keys, flatten):
    wanted = reader()(localfs, str(params), keys, flatten)
    kept = Parameters()
    for _ in range(2):
        assert kept(localfs, str(params), keys, flatten) == wanted


def test_a_file_is_parsed_once_until_it_changes(params, parses, monkeypatch):
    monkeypatch.setattr(param, "read_param_file", reader())
    kept = Parameters()
    for keys in (["n"], ["rate"], ["n"]):
        kept(localfs, str(params), keys, True)
    assert parses == [str(params)]
    params.write_text("n: 2\n")
    assert kept(localfs, str(params), ["n"], True) == {"n": 2}
    assert len(parses) == 2


def test_an_edit_of_the_same_length_is_seen(params):
    kept = Parameters()
    assert kept(localfs, str(params), ["n"], True) == {"n": 1}
    before = params.stat()
    params.write_text(TEXT.replace("n: 1", "n: 2"))
    os.utime(params, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert kept(localfs, str(params), ["n"], True) == {"n": 2}


def test_what_is_returned_is_nobody_elses(params):
    kept = Parameters()
    one, other = (kept(localfs, str(params), ["top"], True) for _ in range(2))
    assert one == other
    assert one["top"]["depth"] is not other["top"]["depth"]


def test_a_missing_file_is_an_error_as_in_dvc(tmp_path):
    with pytest.raises(FileNotFoundError):
        Parameters()(localfs, str(tmp_path / "none.yaml"), ["n"], True)


def lock_modifier():
    modify = dvcfile.modify_yaml
    return modify._modify if isinstance(modify, LockFiles) else modify


def test_lock_files_are_written_as_by_dvc(tmp_path, monkeypatch):
    monkeypatch.setattr(dvcfile, "modify_yaml", lock_modifier())
    kept = LockFiles()
    entry = {"cmd": "a 'quoted' " + "long " * 30, "outs": [{"path": "x", "size": 3}]}
    for name, modify in (("one", modify_yaml), ("two", kept)):
        for number in range(3):
            with modify(str(tmp_path / name)) as data:
                data.setdefault("stages", {}).update({f"s{number}": json.loads(json.dumps(entry))})
    assert (tmp_path / "two").read_text() == (tmp_path / "one").read_text()


def test_a_lock_file_that_others_wrote_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(dvcfile, "modify_yaml", lock_modifier())
    kept, path = LockFiles(), tmp_path / "dvc.lock"
    with kept(str(path)) as data:
        data["a"] = 1
    path.write_text("b: 22\n")
    with kept(str(path)) as data:
        data["c"] = 3
    assert load_yaml(str(path)) == {"b": 22, "c": 3}
    path.unlink()
    with kept(str(path)) as data:
        data["d"] = 4
    assert load_yaml(str(path)) == {"d": 4}


@pytest.fixture
def locks(tmp_path, monkeypatch):
    edit = rwlock._edit_rwlock
    monkeypatch.setattr(rwlock, "_edit_rwlock", edit._edit if isinstance(edit, Rwlock) else edit)
    monkeypatch.setattr(rwlock, "_edit_rwlock", Rwlock())
    return rwlock._edit_rwlock


def take(tmp_path, name):
    return rwlock.rwlock(str(tmp_path), localfs, "cmd", [f"/{name}"], [], False)


def on_disk(tmp_path):
    file = tmp_path / "rwlock"
    return [*json.loads(file.read_text()).get("read", {})] if file.exists() else []


def test_locks_are_on_disk_when_the_block_ends(locks, tmp_path):
    block = take(tmp_path, "a")
    with locks.once():
        block.__enter__()
        with take(tmp_path, "b"):
            assert on_disk(tmp_path) == []
        with take(tmp_path, "c"):
            pass
    assert on_disk(tmp_path) == ["/a"]
    block.__exit__(None, None, None)
    assert on_disk(tmp_path) == []


def test_locks_are_on_disk_at_once_where_dvc_lets_go_of_its_lock(locks, tmp_path):
    with locks.once(), take(tmp_path, "a"):
        with locks.directly(), take(tmp_path, "b"):
            assert on_disk(tmp_path) == ["/a", "/b"]
        assert on_disk(tmp_path) == ["/a"]
    assert on_disk(tmp_path) == []


def test_locks_are_on_disk_however_the_block_ends(locks, tmp_path):
    block, error = locks.once(), KeyError("failed")
    block.__enter__()
    taken = take(tmp_path, "a")
    taken.__enter__()
    assert on_disk(tmp_path) == []
    assert not block.__exit__(KeyError, error, None)
    assert on_disk(tmp_path) == ["/a"]


def test_dvc_uses_what_is_kept():
    assert remember() == remember() == (dvcfile.modify_yaml, rwlock._edit_rwlock)
    assert isinstance(param.read_param_file, Parameters)
    assert isinstance(param.load_path, Parsed)
    assert "_edit_rwlock" in inspect.getsource(rwlock.rwlock)
    assert "modify_yaml" in inspect.getsource(dvcfile.Lockfile.dump_stages)
    assert "read_param_file" in inspect.getsource(param.ParamsDependency.read_params)
