import os
import platform
import subprocess
import sys

import pytest
import torch

from stages.pipeline.fault import Fault
from stages.replicates.environment import activate, describe
from stages.replicates.settings import Compute

BATCHES = """
import resource
import torch
from stages.replicates.environment import activate
from stages.replicates.settings import Compute
activate(Compute(device="cpu"))
def faults():
    for _ in range(10):
        kept = [torch.ones(4 << 20) for _ in range(4)]
        del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(-faults() + faults())
"""


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setitem(os.environ, "CUBLAS_WORKSPACE_CONFIG", "")
    deterministic = torch.are_deterministic_algorithms_enabled()
    threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    fill = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.utils.deterministic.fill_uninitialized_memory = fill
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = benchmark


@pytest.fixture
def gpus(monkeypatch):
    """Return a function that sets how many CUDA devices there seem to be."""
    chosen = []

    def have(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", chosen.append)

    have.chosen = chosen
    return have


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_without_cuda_is_a_fault(name, gpus):
    gpus(0)
    with pytest.raises(Fault, match=f"compute.device is '{name}'; .*CUDA.* cpu or auto"):
        activate(Compute(device=name))


def test_a_cuda_device_that_is_not_there_is_a_fault(gpus):
    gpus(2)
    assert activate(Compute(device="cuda:1")) == torch.device("cuda:1")
    assert gpus.chosen == [torch.device("cuda:1")]
    with pytest.raises(Fault, match=r"compute\.device is 'cuda:2'"):
        activate(Compute(device="cuda:2"))


@pytest.mark.parametrize(("count", "expected"), [(0, "cpu"), (1, "cuda")])
def test_auto_is_a_gpu_where_there_is_one(count, expected, gpus):
    gpus(count)
    assert activate(Compute()) == torch.device(expected)


def test_cpu_is_cpu_beside_a_gpu(gpus):
    gpus(1)
    assert activate(Compute(device="cpu")) == torch.device("cpu")


def test_the_process_computes_as_the_settings_say():
    activate(Compute(device="cpu", threads=2))
    assert torch.get_num_threads() == 2
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark


def test_the_description_names_what_changes_the_bits():
    cpu = torch.device("cpu")
    about = describe(Compute(threads=3), cpu)
    assert about["device"] == "cpu"
    assert about["threads"] == 3
    assert about["torch"] == torch.__version__
    assert about["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert about != describe(Compute(threads=1), cpu)


def test_the_fast_mode_gives_up_equal_bits_and_says_so():
    activate(Compute(device="cpu", deterministic=False))
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark
    assert describe(Compute(deterministic=False), torch.device("cpu"))["deterministic"] is False


@pytest.mark.parametrize(
    "change", [{"precision": "bfloat16"}, {"channels_last": True}, {"deterministic": False}]
)
def test_what_changes_the_bits_is_another_environment(change):
    cpu = torch.device("cpu")
    assert describe(Compute(**change), cpu) != describe(Compute(), cpu)


def test_graphs_change_no_bits_and_are_no_other_environment():
    cpu = torch.device("cpu")
    assert describe(Compute(graph=False), cpu) == describe(Compute(), cpu)


@pytest.mark.parametrize(
    ("able", "told"),
    [
        ({"avx512_bf16": True, "amx_bf16": True}, "AVX512 amx_bf16 avx512_bf16"),
        ({"avx512_bf16": True, "amx_bf16": False}, "AVX512 avx512_bf16"),
        ({}, "AVX512"),
    ],
)
def test_bfloat16_depends_on_the_instructions_for_it(able, told, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    cpu = torch.device("cpu")
    assert describe(Compute(precision="bfloat16"), cpu)["instructions"] == told
    assert describe(Compute(), cpu)["instructions"] == "AVX512"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")
def test_memory_that_a_batch_frees_is_there_for_the_next():
    """Ten batches of 64 MiB are 163,840 pages; the system maps next to none of them again."""
    done = subprocess.run([sys.executable, "-c", BATCHES], capture_output=True, check=True)
    assert int(done.stdout) < 1000
