import subprocess
import sys

import pytest

#: Prints how many pages of memory were handed out for the second of two large arrays.
PROGRAM = """
import resource
import numpy as np
from smoke_ros.training.memory import keep_freed_memory
if {keeps}:
    assert keep_freed_memory()
np.ones(1 << 23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(1 << 23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc has the setting')
def test_memory_that_was_freed_is_taken_again():
    def faults(keeps):
        command = [sys.executable, '-c', PROGRAM.format(keeps=keeps)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert faults(False) > 20
    assert faults(True) < 10
