"""`python -m fuzz.one MODULE TARGET [OPTION…]`: fuzz one target in this process, with libFuzzer's options."""

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import atheris

if TYPE_CHECKING:
    from fuzz import Targets


def main(module: str, name: str, arguments: Sequence[str]) -> None:
    """Fuzz until the options say that it is enough; the process ends with it."""
    # Only what is imported here is watched: all of what is loaded takes longer than the fuzzing.
    with atheris.instrument_imports(include=["exporter", "fuzz", "tests"]):
        targets: Targets = importlib.import_module(module).TARGETS
    atheris.Setup([name, *arguments], targets[name][0])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
