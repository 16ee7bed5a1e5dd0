"""Standard streams that whoever started the program has closed."""

import os
import sys
from typing import Final

_STREAMS: Final = ("stdin", "stdout", "stderr")


def open_closed_streams() -> None:
    """Let closed standard streams lead nowhere.

    Else what is opened next takes their place: a connection would be written to as if it were the log, and
    uvloop gives up on closing it.
    """
    for descriptor, name in enumerate(_STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
        if getattr(sys, name) is None:
            mode = "w" if descriptor else "r"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
