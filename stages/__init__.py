"""The stages, and the rooms that they call."""

import sys

from stages.pipeline.machine import check_address_space

if sys.argv[:1] == ["-m"]:  # of `python -m stages.NAME`, whose module imports torch before all else
    check_address_space()
