"""Progress: bars on a terminal, log lines elsewhere, nothing where nothing is wanted."""

import asyncio
import io
import os
import re
from dataclasses import dataclass

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from exporter.integrity import CycleProgress
from exporter.progress import measure, show_progress, words_for
from tests.parts.waiting import wait_until

WALK = CycleProgress(repositories=50, repositories_done=10, references=2000, references_done=1200)
READING = CycleProgress(1, 0, 12, 9, bytes=3_000_000, bytes_done=1_000_000)


@dataclass
class Watched:
    progress: CycleProgress


@pytest.mark.parametrize(
    ("progress", "narrow", "words"),
    [
        (WALK, False, "10/50 repositories, 1,200/2,000 references, 300/s, 0:00:16 left"),
        (WALK, True, "300/s, 0:00:16 left"),
        (READING, False, "9/12 references, 1.0 MB of 3.0 MB, 250.0 kB/s, 0:00:08 left"),
        (CycleProgress(), False, "0/0 references, 0/s"),
        (CycleProgress(1, 1, 4, 4), False, "4/4 references, 1/s"),
    ],
)
def test_words(progress: CycleProgress, narrow: bool, words: str):
    """Counts, the rate, and the time that is left where it can be told."""
    assert words_for(progress, 4.0, narrow=narrow) == words


def test_what_is_measured():
    """Bytes where blobs are read whole; else repositories, unless there is but one."""
    assert measure(READING) == (1_000_000, 3_000_000)
    assert measure(WALK) == (10, 50)
    assert measure(CycleProgress(1, 0, 8, 3)) == (3, 8)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
async def test_a_terminal_gets_a_line_for_each_that_fits_and_is_gone_at_the_end(width: int):
    """However narrow it is, and however strange the name."""
    terminal, end = os.openpty()
    with os.fdopen(end, "w", encoding="utf-8") as file, os.fdopen(terminal, "rb", buffering=0) as reader:
        console = Console(file=file, force_terminal=True, width=width, _environ={})
        watched = {"one": Watched(WALK), "[bold]two\x1b[2J" + "x" * 100: Watched(READING)}
        async with show_progress(watched, quiet=False, console=console):

            async def seen() -> bytes:
                return await asyncio.to_thread(os.read, reader.fileno(), 65536)

            written = await wait_until(seen, lambda piece: b"/s" in piece, what="a frame")
        file.flush()
        last = os.read(reader.fileno(), 65536)
    lines = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", written.decode()).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= width
    assert b"\x1b[2J" not in written
    assert last.endswith(b"\x1b[2K")  # the line is erased
    assert b"\x1b[?25h" in last  # and the cursor is back


async def test_elsewhere_a_line_is_logged_now_and_then():
    """For each that is watched, with what has been done."""
    with capture_logs() as logs:
        async with show_progress(
            {"one": Watched(WALK)}, quiet=False, console=Console(file=io.StringIO()), log_interval=0.01
        ):

            async def count() -> int:
                return len(logs)

            await wait_until(count, lambda lines: lines >= 2)
    assert {(line["event"], line["registry"]) for line in logs} == {("under way", "one")}
    assert logs[0]["progress"].startswith("10/50 repositories, 1,200/2,000 references, ")


async def test_quiet():
    """Nothing is drawn and nothing is logged."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True)
    before = asyncio.all_tasks()
    async with show_progress({"one": Watched(WALK)}, quiet=True, console=console, log_interval=0.0):
        assert asyncio.all_tasks() == before
    assert not file.getvalue()
