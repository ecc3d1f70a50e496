import pytest
from typer.testing import CliRunner

from tests.benchmarks.__main__ import app
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
