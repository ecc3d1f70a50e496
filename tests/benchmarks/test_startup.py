from tests.benchmarks.startup import beyond, import_times

LOG = """\
import time: self [us] | cumulative | imported package
import time:       120 |        120 |   _io
import time:        30 |         30 |     yaml.error
import time:        70 |        100 |   yaml
a line of a module that speaks
import time:      2000 |       2220 | stages.retrain
"""


def test_the_log_of_python_gives_each_modules_own_time():
    assert import_times(LOG) == {"_io": 120, "yaml.error": 30, "yaml": 70, "stages.retrain": 2000}


def test_what_another_import_has_loaded_does_not_count():
    assert beyond(import_times(LOG), {"_io": 500}) == {"yaml": 100, "stages": 2000}
