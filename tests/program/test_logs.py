"""Log lines: where they go, how they look, and what is never in them."""

import asyncio
import base64
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.logs import LogFormat, LogLevel, configure_logging, printable

SECRET = "correct-horse"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Give back to the test run what `configure_logging` takes: it is for the whole process."""
    root = logging.getLogger()
    names = ("exporter", "stamina")
    handlers, level, levels = root.handlers, root.level, [logging.getLogger(name).level for name in names]
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, its_level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(its_level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """What was written since the last call, on standard error and nowhere else."""

    def read() -> list[str]:
        written = capsys.readouterr()
        assert written.out == ""
        return written.err.splitlines()

    return read


def log() -> Any:
    """The logger that a module of the program would have."""
    return structlog.get_logger("exporter.part")


def fail(error: Exception, cause: Exception | None) -> None:
    """Raise, with something secret in a variable."""
    password = f"hunter{1 + 1}"
    if password:
        raise error from cause


def documents(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_console(lines: Any):
    """For people: the time in UTC, the level, the event, the part of the program and the fields, in order."""
    configure_logging()
    log().info("cycle ended", registry="private", tags=3, outcome="complete", empty=None)
    (line,) = lines()
    assert re.fullmatch(
        MOMENT + r" \[info     \] cycle ended +\[exporter\.part\]"
        r" registry=private tags=3 outcome=complete empty=None",
        line,
    )


def test_json(lines: Any):
    """For machines: one object a line, the same keys first in each."""
    configure_logging(form=LogFormat.JSON)
    log().warning("cycle ended", registry="private", tags=3, took=1.5, names=("a", "b"), more={"x": None})
    (line,) = lines()
    document = json.loads(line)
    assert re.fullmatch(MOMENT, document.pop("timestamp"))
    assert list(document.items()) == [
        ("level", "warning"),
        ("logger", "exporter.part"),
        ("event", "cycle ended"),
        ("registry", "private"),
        ("tags", 3),
        ("took", 1.5),
        ("names", ["a", "b"]),
        ("more", {"x": None}),
    ]


@pytest.mark.parametrize("level", LogLevel)
def test_levels(lines: Any, level: LogLevel):
    """What is below the level is not written; libraries are heard from warnings on, or later."""
    configure_logging(level, LogFormat.JSON)
    for name in LogLevel:
        log().log(logging.getLevelNamesMapping()[name.upper()], "ours", of=name)
        logging.getLogger("aiohttp.client").log(
            logging.getLevelNamesMapping()[name.upper()], "theirs %s", name
        )
    written = documents(lines())
    order = list(LogLevel)
    assert [line["of"] for line in written if line["event"] == "ours"] == order[order.index(level) :]
    heard = order[max(order.index(level), order.index(LogLevel.WARNING)) :]
    assert [line["event"] for line in written if line["event"] != "ours"] == [
        f"theirs {name}" for name in heard
    ]
    assert {line["level"] for line in written if line["event"] != "ours"} == set(heard)


def test_libraries_look_the_same(lines: Any):
    """A line of asyncio's, or a warning of Python's, is no different in form."""
    configure_logging(form=LogFormat.JSON)
    logging.getLogger("asyncio").error("a task is %s", "gone")
    warnings.showwarning("old", DeprecationWarning, "file.py", 1)
    task, python = documents(lines())
    assert (task["level"], task["logger"], task["event"]) == ("error", "asyncio", "a task is gone")
    assert (python["level"], python["logger"]) == ("warning", "py.warnings")
    assert python["event"].startswith("file.py:1: DeprecationWarning: old")


def test_retries_are_no_news(lines: Any):
    """stamina's warning of each retry is for debugging only."""
    configure_logging()
    structlog.get_logger("stamina").warning("stamina.retry_scheduled")
    assert lines() == []
    configure_logging(LogLevel.DEBUG)
    structlog.get_logger("stamina").warning("stamina.retry_scheduled")
    assert len(lines()) == 1


@pytest.mark.parametrize("form", LogFormat)
def test_no_secret_is_written(lines: Any, form: LogFormat):
    """Not as a value, nor inside of one, nor in a message, a URL or a traceback, ours or a library's."""
    basic = base64.b64encode(f"u:{SECRET}".encode()).decode()
    spaced = 'two words/"and" a \' and a \\'
    configure_logging(LogLevel.DEBUG, form, [SECRET, basic, spaced])
    log().info(
        f"it is {SECRET}", value=SECRET, deep={"a": [SECRET, {SECRET: 1}]}, url=f"https://u:{SECRET}@x"
    )
    log().info(
        "more", header=f"Basic {basic}", shown=repr(spaced), dumped=json.dumps(spaced), asked=quote(spaced)
    )
    log().info("more", error=ValueError(f"no {SECRET}"), raw=SECRET.encode(), quoted=quote(spaced, safe=""))
    logging.getLogger("aiohttp").warning("theirs %s", SECRET)
    try:
        fail(ValueError(SECRET), KeyError(spaced))
    except ValueError:
        log().exception("failed")
        logging.getLogger("asyncio").exception("failed")
    written = "\n".join(lines())
    assert SECRET not in written
    assert basic not in written
    assert "words" not in written
    assert written.count("***") >= 14
    assert "ValueError: ***" in written


def test_one_secret_within_another(lines: Any):
    """The longer one goes whole."""
    configure_logging(form=LogFormat.JSON, secrets=["abc", "abcdef"])
    log().info("x", value="abcdef abc")
    assert documents(lines())[0]["value"] == "*** ***"


@pytest.mark.parametrize("form", LogFormat)
def test_traceback_is_whole_and_plain(lines: Any, form: LogFormat):
    """It shows the frames, and none of their variables."""
    configure_logging(form=form)

    try:
        fail(RuntimeError("boom\x1b[2J"), None)
    except RuntimeError:
        log().exception("failed")
    written = lines()
    text = documents(written)[0]["exception"].splitlines() if form is LogFormat.JSON else written[1:]
    assert text[0] == "Traceback (most recent call last):"
    assert text[-1] == "RuntimeError: boom\\x1b[2J"
    assert "hunter2" not in "\n".join(written)


@pytest.mark.parametrize("form", LogFormat)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=30))
def test_nothing_foreign_ends_a_line_or_steers_a_terminal(capsys: Any, form: LogFormat, text: str):
    """Whatever a registry answers stays within its line, and is shown, not obeyed."""
    configure_logging(form=form)
    log().info(f"event {text}", value=text, listed=[text], of={text: text})
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.endswith("\n")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f]", written)


def test_printable():
    """Only what steers is escaped; other text, of any language, stays."""
    assert printable("a\x1b[31m\r\n\t\x9b\u202e\u2028z") == "a\\x1b[31m\\x0d\\x0a\\x09\\x9b\\u202e\\u2028z"
    assert printable("Grüße 世界 [bold]") == "Grüße 世界 [bold]"


def test_no_color_without_a_terminal(lines: Any, monkeypatch: pytest.MonkeyPatch):
    """Escape codes are for terminals, and not for those whose owner wants none."""
    for variable in ("", "1"):
        monkeypatch.setenv("NO_COLOR", variable)
        configure_logging()
        log().info("x")
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        configure_logging()
        log().info("x")
        monkeypatch.undo()
        plain, terminal = lines()
        assert "\x1b" not in plain
        assert ("\x1b" in terminal) is (variable == "")


async def test_asyncio_tells_of_lost_errors(lines: Any):
    """What the event loop finds is in the log, too."""
    configure_logging(form=LogFormat.JSON)
    asyncio.get_running_loop().call_exception_handler({"message": "lost", "exception": ValueError("x")})
    (line,) = documents(lines())
    assert (line["logger"], line["level"], line["event"]) == ("asyncio", "error", "lost")
