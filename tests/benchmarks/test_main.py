import pytest
import torch
from typer.testing import CliRunner

from tests.benchmarks.__main__ import app, choose, skips
from tests.benchmarks.cases import cases
from tests.benchmarks.setting import Device


def test_an_unknown_case_is_one_line_and_code_2():
    done = CliRunner().invoke(app, ["startup", "nop"])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("no case 'nop' on cpu; did you mean 'noop'? valid: arm-digits")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("device", Device)
def test_the_list_is_that_of_the_device(device):
    done = CliRunner().invoke(app, ["--list", "--device", device])
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert listed == list(cases(device))
    assert ("memory-floor" in listed) == (device is Device.cuda)


def test_what_is_skipped_is_said_once_and_only_of_cases_that_would_have_it(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    known = cases(Device.cpu)
    chosen = choose(known, ["epoch-digits", "arm-digits", "noop"], Device.cpu)
    (line,) = skips(chosen)
    assert line.startswith("bfloat16 is skipped: the processor has no instructions for it")
    assert skips(choose(known, ["evaluation-digits", "noop"], Device.cpu)) == []


def test_nothing_is_skipped_where_there_is_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert skips(list(cases(Device.cpu).values())) == []
