"""Each parser withstands ten seconds of fuzzing, and the fuzzer would notice if it did not."""

import subprocess
import sys

import pytest

from fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_parser_withstands_fuzzing(target: str):
    """Nothing but its typed error, in time and in bounded memory."""
    ended = subprocess.run(
        [sys.executable, "-m", "fuzz", "--seconds", "10", target], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_the_first_inputs_are_taken(target: str):
    """They are what a fuzzer starts from, so none of them may be noise."""
    check, inputs = TARGETS[target]
    for data in inputs:
        check(data)
