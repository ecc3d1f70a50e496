import json

import torch

from stages.params.compute import Compute
from stages.training.keeping import kept

CPU = Compute(device="cpu")


def keep(tmp_path, monkeypatch, number, calls):
    monkeypatch.setenv("AFTERPRUNE_STATE", str(tmp_path / "state"))

    def work(place, device):
        calls.append(device)
        (place / "result").write_text("42")

    def key(replicate, environment):
        return f"{replicate}-{environment['threads']}"

    return kept(key, lambda: None, CPU, number, tmp_path / "environment.json", work)


def test_a_result_is_computed_on_the_device_once(tmp_path, monkeypatch):
    calls = []
    folders = [keep(tmp_path, monkeypatch, 0, calls) for _ in range(2)]
    assert folders[0] == folders[1] == tmp_path / "state" / "0-1"
    assert (folders[0] / "result").read_text() == "42"
    assert calls == [torch.device("cpu")]


def test_the_first_replicate_tells_the_environment_also_of_a_finished_result(tmp_path, monkeypatch):
    keep(tmp_path, monkeypatch, 1, [])
    assert not (tmp_path / "environment.json").exists()
    for _ in range(2):
        keep(tmp_path, monkeypatch, 0, [])
        about = json.loads((tmp_path / "environment.json").read_text())
        assert about["device"] == "cpu"
        assert about["threads"] == 1
        (tmp_path / "environment.json").unlink()
