import torch

from tests.benchmarks.machine import header
from tests.benchmarks.setting import Device


def test_the_header_names_the_processors_instructions(monkeypatch):
    monkeypatch.setattr("tests.benchmarks.machine._processor", lambda: "Xeon")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": 0, "avx512_bf16": 1})
    assert header(Device.cpu).startswith("Xeon (AVX512 avx512_bf16), ")
