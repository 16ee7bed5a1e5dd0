"""`check-deletion` as it is run: its statuses, what goes where, terminals, pipes and signals."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from sample import content as make
from sample.registry import DockerRegistry
from tests.deletion.running import COMMAND, check, check_on_terminal
from tests.parts.fixtures import StartAnswers, StartRegistry
from tests.parts.set_answers import SetAnswers
from tests.verification.running import environment

SECRET = "correct-horse-battery-staple"
AMD64 = make.image("app")
INDEX = make.index([AMD64, make.image("app", platform="linux/arm64")])
EMPTY = {"/v2/app/tags/list": (200, {"tags": None})}


@pytest.fixture
def registry(start_registry: StartRegistry) -> DockerRegistry:
    """A release with tags for one of its platforms, and another image."""
    started = start_registry()

    async def push() -> None:
        await started.push("app", AMD64, "1-amd64", "newest")
        await started.push("app", INDEX, "1")
        await started.push("other", make.image("other"), "latest")

    asyncio.run(push())
    return started


# Statuses, and all that is printed


def test_nothing_would_break(registry: DockerRegistry):
    """The index and what it lists do not share a fate."""
    done = check("--quiet", "-", given=f"{registry.host}/app:1\n{registry.host}/other:latest")
    assert (done.status, done.log) == (0, "")
    assert done.output.splitlines() == [
        f"{registry.host}/app: no kept tag would break (2 kept tags)",
        "",
        f"{registry.host}/other: no kept tag would break (0 kept tags)",
        "",
        "Nothing would break: 2 listed, 2 kept tags. They can be deleted.",
    ]


def test_something_would_break(registry: DockerRegistry, tmp_path: Path):
    """The tag of an index, and one of the same manifest."""
    (tmp_path / "old.txt").write_text(f"{registry.host}/app:1-amd64\n", "utf-8")
    done = check("--quiet", "old.txt", folder=tmp_path)
    assert (done.status, done.log) == (1, "")
    assert done.output.splitlines() == [
        f"{registry.host}/app: 2 of 2 kept tags would break",
        "  1: would lose 1 manifest that it needs",
        f"    {AMD64.digest}",
        "  newest: would be deleted with 1-amd64",
        f"    {AMD64.digest}",
        "  listed as 1-amd64, but a child of a kept index:",
        f"    {AMD64.digest}",
        f"    in {INDEX.digest}",
        "",
        f"Would break: 2 kept tags. Do not delete {registry.host}/app:1-amd64.",
    ]


def test_the_document_is_all_there_is_on_standard_output(registry: DockerRegistry):
    """Logs go to standard error."""
    done = check("--output=json", "-", given=f"{registry.host}/app@{AMD64.digest}\n{registry.host}/app:0")
    assert done.status == 1
    assert done.document == {
        "registries": [
            {
                "registry": registry.host,
                "url": registry.url,
                "repositories": [
                    {
                        "repository": "app",
                        "kept_tags": 3,
                        "would_break": [
                            {"tag": "1", "digest": INDEX.digest, "deleted": False, "lost": [AMD64.digest]},
                            *(
                                {"tag": tag, "digest": AMD64.digest, "deleted": True, "lost": [AMD64.digest]}
                                for tag in ("1-amd64", "newest")
                            ),
                        ],
                        "would_be_deleted": [
                            {
                                "digest": AMD64.digest,
                                "listed": [AMD64.digest],
                                "tags": ["1-amd64", "newest"],
                                "kept_indexes": [INDEX.digest],
                            }
                        ],
                        "not_found": ["0"],
                        "undetermined": [],
                    }
                ],
            }
        ]
    }
    assert re.fullmatch(r"\S+ \[info +\] checking a deletion +\[\S+\] version=\S+ images=2\n", done.log)


@pytest.mark.parametrize("status", [401, 404, 500])
def test_not_everything_could_be_determined(registry: DockerRegistry, start: StartAnswers, status: int):
    """A list of tags that is not given says nothing; what would break elsewhere outweighs it."""
    other = start({"/v2/app/tags/list": (status, {})})
    lines = f"{other.host}/app:1\n{registry.host}/other:latest\n"
    done = check("--quiet", "-", given=lines)
    assert (done.status, done.log) == (3, "")
    assert done.output.splitlines() == [
        f"{other.host}/app: not everything could be determined (0 kept tags)",
        f"  not determined: GET /v2/app/tags/list answered {status}",
        "",
        f"{registry.host}/other: no kept tag would break (0 kept tags)",
        "",
        f"Not determined: {other.host}/app: delete nothing of it before everything can be read.",
    ]
    assert check("--quiet", "-", given=f"{lines}{registry.host}/app:1-amd64").status == 1


def test_a_registry_that_is_down():
    """Nothing is known."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        done = check("--quiet", "--output=json", "-", given=f"{host}/app:1")
    [repository] = done.document["registries"][0]["repositories"]
    assert (done.status, len(repository["undetermined"]), repository["would_break"]) == (3, 1, [])


def test_an_empty_list_asks_for_nothing():
    """There may be nothing to delete today."""
    done = check("--quiet", "-", given="# nothing\n")
    assert (done.status, done.output, done.log) == (0, "Nothing is listed.\n", "")
    assert check("--quiet", "--output=json", "-").document == {"registries": []}


def test_only_the_repositories_named_are_asked_for(start: StartAnswers):
    """No catalog, no other repository; what is listed and not there is no error."""
    registry = start(EMPTY)
    done = check("--quiet", "-", given=f"{registry.host}/app:1")
    assert (done.status, registry.paths) == (0, ["/v2/app/tags/list?n=1000"])
    assert "  not found: 1" in done.output.splitlines()


def test_several_registries_as_the_configuration_has_them(start: StartAnswers, tmp_path: Path):
    """By their host or `image_host`, and any other."""
    one, two = start(EMPTY), start({"/v2/team/app/tags/list": (200, {"tags": []})})
    config = tmp_path / "config.yml"
    listed = {"name": "one", "url": one.url, "metrics": {"image_host": "images.example"}}
    config.write_text(json.dumps({"registries": [listed]}), "utf-8")
    lines = f"images.example/app:1\n{two.host}/team/app:1\n{one.host}/app:2"
    done = check("--quiet", "--output=json", f"--config={config}", "-", given=lines)
    assert [
        (each["registry"], [(of_it["repository"], of_it["not_found"]) for of_it in each["repositories"]])
        for each in done.document["registries"]
    ] == [("one", [("app", ["1", "2"])]), (two.host, [("team/app", ["1"])])]


def test_credentials_that_other_tools_have_left(start: StartAnswers, tmp_path: Path):
    """They are shown to the registry, and in nothing that is written."""
    registry = start(EMPTY)
    auth = base64.b64encode(f"user:{SECRET}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}), "utf-8")
    done = check("--log-level=debug", "-", given=f"{registry.host}/app:1", DOCKER_CONFIG=str(tmp_path))
    assert set(registry.authorizations) == {f"Basic {auth}"}
    assert SECRET not in done.output + done.log
    assert auth not in done.output + done.log


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["-"], "{host}/app\n", "usage error: standard input, line 1: '{host}/app': expected host/rep"),
        (
            ["-"],
            "{host}/app:1\n\nteam//app:1",
            "usage error: standard input, line 3: 'team//app:1': expected ",
        ),
        (["absent"], "", "usage error: absent: expected a file that can be read: No such file or directory"),
        (["."], "", "usage error: .: expected a file that can be read: Is a directory"),
        (["-", "--timeout=5"], "{host}/app:1", "configuration error: timeout: '5': expected a duration "),
        (["-", "--output=junit"], "{host}/app:1", "'junit' is not one of 'table', 'json'"),
        (["-", "--blob-check=head"], "{host}/app:1", "No such option: --blob-check"),
        ([], "", "Missing argument 'FILE'."),
    ],
)
def test_wrong_use_is_told_before_anything_is_asked(
    start: StartAnswers, tmp_path: Path, arguments: list[str], given: str, said: str
):
    """With the value and what was expected; nothing is printed."""
    registry = start(EMPTY)
    host = {"host": registry.host}
    done = check(*arguments, given=given.format(**host), folder=tmp_path)
    assert (done.status, done.output) == (2, "")
    assert said.format(**host) in done.log
    assert "Traceback" not in done.log
    assert not registry.asked.is_set()


# Terminals, pipes and signals


@pytest.fixture
def listed(registry: DockerRegistry, tmp_path: Path) -> str:
    """A list that would break something."""
    file = tmp_path / "old.txt"
    file.write_text(f"{registry.host}/app:1-amd64\n{registry.host}/app:0\n", "utf-8")
    return str(file)


def test_the_screen_of_80_columns(registry: DockerRegistry, listed: str):
    """A real pseudo-terminal: whole digests, no line too long, what would break in red, no bar left."""
    screen = check_on_terminal("--log-level=warning", listed)
    assert screen.status == 1
    assert screen.text.rstrip().splitlines() == [
        f"{registry.host}/app: 2 of 2 kept tags would break",
        "  1: would lose 1 manifest that it needs",
        f"    {AMD64.digest}",
        "  newest: would be deleted with 1-amd64",
        f"    {AMD64.digest}",
        "  listed as 1-amd64, but a child of a kept index:",
        f"    {AMD64.digest}",
        f"    in {INDEX.digest}",
        "  not found: 0",
        "",
        f"Would break: 2 kept tags. Do not delete {registry.host}/app:1-amd64.",
    ]
    assert re.search(r"\x1b\[1;31m1: would lose", screen.written)


def test_a_screen_without_colors(listed: str):
    """NO_COLOR is respected."""
    screen = check_on_terminal("--quiet", listed, NO_COLOR="1")
    assert screen.status == 1
    assert not re.search(r"\x1b\[[\d;]*3[0-7]", screen.written)


def test_a_narrow_terminal(listed: str):
    """Everything is there, folded."""
    screen = check_on_terminal("--quiet", listed, columns=20)
    assert max(map(len, screen.text.splitlines())) <= 20
    assert INDEX.digest in re.sub(r"\s", "", screen.text)


@pytest.mark.parametrize("output", ["table", "json"])
def test_nobody_reads(listed: str, output: str):
    """A pipe that is closed at its other end is no error: the status says what the result would have."""
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [*COMMAND, "--quiet", f"--output={output}", listed],
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writer)
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait(60)) == (b"", 1)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_end_it(start: StartAnswers, tmp_path: Path, number: signal.Signals, status: int):
    """In the middle of it, with its own status; nothing half-done is printed."""
    registry = start(EMPTY)
    released = threading.Event()
    registry.hold = released.wait
    (tmp_path / "old.txt").write_text(f"{registry.host}/app:1", "utf-8")
    with subprocess.Popen(
        [*COMMAND, "--quiet", str(tmp_path / "old.txt")],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert registry.asked.wait(30)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
        released.set()
    assert (process.returncode, stdout, stderr) == (status, "", "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_end_it_while_it_waits_for_its_list(number: signal.Signals, status: int, tmp_path: Path):
    """Of whoever writes to its standard input."""
    fifo = tmp_path / "list"
    os.mkfifo(fifo)
    with (
        subprocess.Popen(
            [*COMMAND, "--quiet", str(fifo)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        fifo.open("w"),
    ):  # opened as soon as it reads
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (status, "", "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_the_terminal_as_it_was(
    start: StartAnswers, tmp_path: Path, number: signal.Signals, status: int
):
    """The bars are gone, the cursor is back."""
    registry = start(EMPTY)
    released = threading.Event()
    registry.hold = released.wait
    (tmp_path / "old.txt").write_text(f"{registry.host}/app:1", "utf-8")
    screen = check_on_terminal(
        "--log-level=error",
        str(tmp_path / "old.txt"),
        during=lambda pid: _interrupt(registry, pid, number),
    )
    released.set()
    assert (screen.status, screen.text.strip()) == (status, "")
    assert screen.written.rindex("\x1b[?25h") > screen.written.rindex("\x1b[?25l")


def _interrupt(registry: SetAnswers, pid: int, number: signal.Signals) -> None:
    assert registry.asked.wait(30)
    os.kill(pid, number)
