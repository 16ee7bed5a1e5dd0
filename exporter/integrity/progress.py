"""How far a cycle has come, for whoever looks on."""

from dataclasses import dataclass


@dataclass(slots=True)
class CycleProgress:
    """Counts of one cycle that is under way; what is known of the work grows as it is done.

    `references` counts what has been found to ask for, lists of tags and what is asked again included.
    `bytes` is the size of the blobs that are to be read whole, 0 where none is; `bytes_done` what need not be
    read any more, which falls again when one is read anew; `bytes_read` all that was read.
    """

    repositories: int = 0
    repositories_done: int = 0
    references: int = 0
    references_done: int = 0
    bytes: int = 0
    bytes_done: int = 0
    bytes_read: int = 0
