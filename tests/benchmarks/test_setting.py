from functools import partial

import pytest
import torch

from tests.benchmarks.setting import Device, Setting, bfloat16_instructions, settings

AVX2 = {"avx2": True, "avx512_f": False, "avx512_bf16": False}
AVX512 = {**AVX2, "avx512_f": True, "avx512_bf16": True, "amx_bf16": True}


@pytest.fixture
def fake(monkeypatch):
    """Return a function that sets what processor and GPU there seem to be."""

    def put(cpu=None, cuda=False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: cpu or {})
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", partial(emulating, cuda))

    return put


def emulating(cuda, including_emulation=True):
    return including_emulation or cuda


def precisions(device):
    return {setting.precision for setting in settings(device)}


def test_a_setting_names_what_it_changes():
    assert str(Setting()) == "float32"
    assert (
        str(Setting("bfloat16", channels_last=True, graph=True)) == "bfloat16 channels_last graph"
    )


def test_graphs_are_for_gpus(fake):
    fake(AVX512, cuda=True)
    assert not any(setting.graph for setting in settings(Device.cpu))
    assert [s.precision for s in settings(Device.cuda) if s.graph] == ["float32", "bfloat16"]


@pytest.mark.parametrize("cuda", [False, True])
@pytest.mark.parametrize(("cpu", "named"), [(AVX2, []), (AVX512, ["amx_bf16", "avx512_bf16"])])
def test_bfloat16_is_measured_where_the_device_has_instructions_for_it(fake, cpu, named, cuda):
    fake(cpu, cuda)
    assert bfloat16_instructions() == named
    assert precisions(Device.cpu) == {"float32", *(["bfloat16"] if named else [])}
    assert precisions(Device.cuda) == {"float32", *(["bfloat16"] if cuda else [])}
