"""The program as its users run it: flags, exit statuses, what goes where, and how it ends."""

import base64
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter import cli
from exporter.cli import commands
from exporter.settings import variable_of
from tests.parts.fixtures import StartPushgateway
from tests.parts.set_answers import Answers, SetAnswers
from tests.parts.terminal import run_on_terminal

SECRET = "correct-horse-battery-staple"
BROKEN = {
    "/v2/": (200, {}),
    "/v2/_catalog": (200, {"repositories": ["team/app"]}),
    "/v2/team/app/tags/list": (200, {"tags": ["latest"]}),
    "/v2/team/app/manifests/latest": (404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]}),
}
INTACT = {"/v2/_catalog": (200, {"repositories": []})}
UNREADABLE = {"/v2/_catalog": (403, {"errors": [{"code": "DENIED"}]})}
QUICK = {"REGISTRY_INTEGRITY_CONFIRM_DELAY": "0s"}
COMMAND = [sys.executable, "-m", "exporter"]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a run: this one's, less what would change the program's output, plus some."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_INTEGRITY_")}
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        kept.pop(name, None)
    return {**kept, **QUICK, **variables}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, its two streams kept apart."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def launch(request: pytest.FixtureRequest) -> Callable[..., subprocess.Popen[str]]:
    """Run the program beside the test."""

    def begin(*arguments: str, stdout: int = subprocess.PIPE, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment(**variables),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

        def end() -> None:
            process.kill()
            process.communicate()

        request.addfinalizer(end)
        return process

    return begin


def logged(stderr: str) -> list[dict[str, Any]]:
    """The lines of a log in JSON; there is nothing else on standard error."""
    return [json.loads(line) for line in stderr.splitlines()]


# Help


def test_version():
    """The version is that of the distribution."""
    result = run("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"registry-integrity-exporter \d+\.\d+\.\d+\n", result.stdout)


def test_help_has_what_works_and_nothing_else():
    """The commands, and no flags of typer's own."""
    result = run("--help", COLUMNS="100")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "Usage: registry-integrity-exporter [OPTIONS] COMMAND [ARGS]...\n"
        "\n"
        "  Find the images that a container registry lists but can no longer serve.\n"
        "\n"
        "  Every setting is also a key of the configuration file and a variable of the\n"
        "  environment. A flag counts more than the environment, that more than the\n"
        "  file.\n"
        "\n"
        "Options:\n"
        "  --version  Print the version and exit.\n"
        "  --help     Show this message and exit.\n"
        "\n"
        "Commands:\n"
        "  serve           Walk each registry every interval, and serve metrics.\n"
        "  probe           Walk each registry once, print what is broken, and exit.\n"
        "  verify          Verify images by name, print what is broken, and exit.\n"
        "  check-deletion  Tell which kept tags a deletion would break, and exit.\n"
        "  check-config    Print the settings that count, and where each comes from.\n"
    )


COMMON = [
    *("registry", "config", "interval", "concurrency", "timeout", "blob-check", "shard"),
    *("log-level", "log-format"),
]
VERIFY = [name for name in COMMON if name not in {"interval", "shard"}]
CHECK_DELETION = [name for name in VERIFY if name != "blob-check"]
OF_NO_SETTING = {"help", "config", "output", "platform", "retries", "full", "quiet"}
DELIVERY = ["pushgateway", "textfile", "deadline"]


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("serve", [*COMMON, "listen-address", "web.enable-lifecycle", "help"]),
        ("probe", [*COMMON, *DELIVERY, "output", "quiet", "help"]),
        ("verify", [*VERIFY, "platform", "retries", "full", "output", "quiet", "help"]),
        ("check-deletion", [*CHECK_DELETION, "output", "quiet", "help"]),
        ("check-config", [*COMMON, "listen-address", "web.enable-lifecycle", *DELIVERY, "help"]),
    ],
)
def test_help_of_a_command(command: str, flags: list[str]):
    """Each flag is there with its meaning and the variable that means the same."""
    result = run(command, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.findall(r"^  --([a-z.-]+)", result.stdout, re.MULTILINE) == flags
    for flag in flags:
        if flag not in OF_NO_SETTING:
            name = {"registry": "registries", "pushgateway": "pushgateway.url"}.get(flag, flag)
            name = name.replace("-", "_")
            assert variable_of(tuple(name.split("."))) in result.stdout


# Wrong use: status 2, said on standard error, in the same words for each spelling.


@pytest.mark.parametrize("command", ["serve", "probe", "check-config"])
def test_no_registry(command: str):
    """Without a registry there is nothing to do."""
    result = run(command)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "configuration error: registries: nothing: expected at least one registry,"
        " from --registry, REGISTRY_INTEGRITY_REGISTRIES or the file\n"
    )


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_wrong_configuration(tmp_path: Path, command: str):
    """Each problem is a line, with its key, its value, what was expected and where it stands."""
    file = tmp_path / "config.yml"
    file.write_text("intervall: 5m\nlisten_address: ':99999'\n")
    flags = ["--registry=localhost", "--timeout=5", f"--config={file}"]
    result = run(command, *flags, REGISTRY_INTEGRITY_CONCURRENCY="many")
    assert (result.returncode, result.stdout) == (2, "")
    duration = "expected a duration such as 500ms, 10s, 15m or 1h30m"
    number = "expected a whole number from 1 to 1000"
    address = "expected :PORT, HOST:PORT or [IPV6]:PORT with a port from 0 to 65535"
    url = "expected an http or https address such as https://registry.example.com"
    assert result.stderr.splitlines() == [
        f"configuration error: {problem}"
        for problem in (
            f"intervall: '5m': expected a key that is known; did you mean interval? ({file}, line 1)",
            f"concurrency: 'many': {number} (variable REGISTRY_INTEGRITY_CONCURRENCY)",
            f"timeout: '5': {duration} (flag --timeout)",
            f"registries.0.url: 'localhost': {url} (flag --registry)",
            f"listen_address: ':99999': {address} ({file}, line 2)",
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prove"], "No such command 'prove'."),
        (["serve", "--output=json"], "No such option: --output"),
        (["probe", "--listen-address=:0"], "No such option: --listen-address"),
        (["probe", "--output=xml"], "Invalid value for '--output': "),
        (["probe", "--password=x"], "No such option: --password"),
        (["probe", "image"], "Got unexpected extra argument"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str):
    """What is no command or flag is named, on standard error."""
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_occupied_address():
    """An address that is taken is said in a line, not shown as a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("serve", "--registry=http://127.0.0.1:1", f"--listen-address={address}")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"configuration error: listen_address: cannot listen on {address}: Address already in use\n"
    )


# probe


SAID_INTACT = r"one: all intact \(0 repositories, 0 tags, 0 references in \d\.\d s\)\n"
SAID_BROKEN = r"""one: 1 broken reference, 1 tag cannot be pulled \(1 repository, 1 tag, 1 reference in .+ s\)
  VERDICT     REASON           IMPACT    KIND    PLATFORM
  broken      missing          pull      tag     -
    team/app:latest
    .*404 MANIFEST_UNKNOWN
"""
SAID_UNREADABLE = r"""one: the catalog could not be read \(0 repositories, 0 tags, 0 references in \d\.\d s\)
  GET /v2/_catalog .*403.*
"""


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [(INTACT, 0, SAID_INTACT), (BROKEN, 1, SAID_BROKEN), (UNREADABLE, 3, SAID_UNREADABLE)],
)
def test_probe(start: Callable[[Answers], SetAnswers], answers: Answers, status: int, said: str):
    """The status says what the table says; a pipe gets whole lines without escape codes."""
    result = run("probe", f"--registry=one={start(answers).url}", "--log-level=error")
    assert re.fullmatch(said, result.stdout)
    assert (result.returncode, result.stderr) == (status, "")


def test_probe_prints_one_document(start: Callable[[Answers], SetAnswers]):
    """All registries are in it; the log is apart from it, and begins with what is probed."""
    good, bad = start(INTACT), start(BROKEN)
    flags = [f"--registry={good.url}", f"--registry=bad={bad.url}", "--output=json", "--log-format=json"]
    result = run("probe", *flags)
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert [(one["registry"], one["url"]) for one in document["registries"]] == [
        (good.host, good.url),
        ("bad", bad.url),
    ]
    assert [finding["tags"] for finding in document["registries"][1]["findings"]] == [["latest"]]
    first = logged(result.stderr)[0]
    assert first["event"] == "probing"
    assert first["registries"] == {good.host: good.url, "bad": bad.url}


def test_probe_walks_registries_at_once(start: Callable[[Answers], SetAnswers]):
    """No registry waits for another: each answers only once all have been asked."""
    registries = [start(INTACT) for _ in range(3)]
    meeting = threading.Barrier(len(registries), timeout=30)
    for registry in registries:
        registry.hold = meeting.wait
    result = run("probe", *(f"--registry={registry.url}" for registry in registries))
    assert (result.returncode, meeting.broken) == (0, False)


def test_settings_from_all_sources_reach_the_registry(start: Callable[[Answers], SetAnswers], tmp_path: Path):
    """A file, a file of a password and a variable are enough; the password goes to the registry only."""
    registry = start(BROKEN)
    (tmp_path / "password").write_text(f"{SECRET}\n")
    file = tmp_path / "config.yml"
    file.write_text(
        f"registries:\n  - url: {registry.url}\n    username: u\n    password_file: password\n"
        "    repositories: [team/app]\n"
    )
    result = run("probe", f"--config={file}", "--log-level=debug", REGISTRY_INTEGRITY_LOG_FORMAT="json")
    assert result.returncode == 1
    assert logged(result.stderr)
    basic = base64.b64encode(f"u:{SECRET}".encode()).decode()
    assert set(registry.authorizations) == {f"Basic {basic}"}
    for secret in (SECRET, basic):
        assert secret not in result.stdout + result.stderr


def test_a_registry_behind_a_proxy(start: Callable[[Answers], SetAnswers]):
    """The proxy that the environment names is asked, for a registry that is not on this machine."""
    host = "registry.example"
    answers = {f"http://{host}{path}": answer for path, answer in BROKEN.items()}
    proxy = start(answers)
    result = run("probe", f"--registry=http://{host}", "--log-level=error", http_proxy=proxy.url)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith(f"{host}: 1 broken reference, 1 tag cannot be pulled")


def test_wrong_proxy():
    """A proxy that cannot be used is a mistake; its address, which may hold a password, is not shown."""
    for command in ("probe", "serve", "check-config"):
        result = run(command, "--registry=http://127.0.0.1:1", https_proxy=f"socks5://u:{SECRET}@proxy")
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == (
            "configuration error: https_proxy: ***: expected the address of an HTTP proxy,"
            " such as http://proxy.example:3128 (variable https_proxy)\n"
        )


def test_what_is_ignored_is_listed_and_changes_no_status(
    start: Callable[[Answers], SetAnswers], tmp_path: Path
):
    """A rule hides a finding from the status, not from the document; one that has expired is warned about."""
    registry = start(BROKEN)
    file = tmp_path / "config.yml"
    file.write_text(
        f"registries: [{{name: one, url: '{registry.url}', ignore: "
        "[{tag: latest, comment: known}, {tag: old, until: 2020-12-31}]}]\n"
    )
    result = run("probe", f"--config={file}", "--output=json", REGISTRY_INTEGRITY_LOG_FORMAT="json")
    assert result.returncode == 0
    (document,) = json.loads(result.stdout)["registries"]
    assert [(one["verdict"], one["tags"]) for one in document["findings"]] == [("skipped", ["latest"])]
    assert [
        (line["event"], line["rule"]) for line in logged(result.stderr) if line["level"] == "warning"
    ] == [("ignore rule has expired", "*:old until 2020-12-31")]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("output", ["table", "json"])
def test_signals_end_probe(
    start: Callable[[Answers], SetAnswers],
    launch: Callable[..., subprocess.Popen[str]],
    number: signal.Signals,
    status: int,
    output: str,
):
    """In the middle of a cycle, a signal ends it with its own status; nothing half-done is printed."""
    registry = start(INTACT)
    released = threading.Event()
    registry.hold = released.wait
    process = launch("probe", f"--registry={registry.url}", f"--output={output}", "--log-level=error")
    assert registry.asked.wait(30)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    released.set()
    assert (process.returncode, stdout, stderr) == (status, "", "")


@pytest.mark.parametrize("arguments", [["--output=json"], ["--output=table"]])
def test_nobody_reads(
    start: Callable[[Answers], SetAnswers], launch: Callable[..., subprocess.Popen[str]], arguments: list[str]
):
    """A pipe that is closed at its other end is no error: the status says what the result would have."""
    reader, writer = os.pipe()
    os.close(reader)
    registry = start(BROKEN)
    process = launch("probe", f"--registry={registry.url}", "--log-level=error", *arguments, stdout=writer)
    os.close(writer)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (1, "")


def test_table_on_a_terminal(start: Callable[[Answers], SetAnswers]):
    """A real terminal of 80 columns gets colors and lines that fit."""
    registry = start(BROKEN)
    command = [*COMMAND, "probe", f"--registry=one={registry.url}", "--log-level=error"]
    screen = run_on_terminal(command, environment())
    assert screen.status == 1
    assert "\x1b[1;31m1 broken reference, 1 tag cannot be pulled\x1b[0m" in screen.written
    assert max(map(len, screen.text.splitlines())) <= 80


def test_probe_delivers_its_metrics(
    start: Callable[[Answers], SetAnswers], start_pushgateway: StartPushgateway, tmp_path: Path
):
    """To a Pushgateway and into a file, by flags; a group for each registry."""
    good, bad = start(INTACT), start(BROKEN)
    gateway, file = start_pushgateway(), tmp_path / "registry.prom"
    result = run(
        "probe",
        *(f"--registry=good={good.url}", f"--registry=bad={bad.url}", "--log-level=error"),
        *(f"--pushgateway={gateway.url}", f"--textfile={file}"),
    )
    assert (result.returncode, result.stderr) == (1, "")
    broken = 'registry_integrity_broken_tags{registry="bad",repository="team/app"} 1.0\n'
    assert broken in file.read_text()
    assert 'registry_integrity_catalog_accessible{registry="good"} 1.0\n' in file.read_text()
    with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=10) as answer:
        shown = answer.read().decode()
    labels = 'instance="",job="registry-integrity",registry="bad"'
    assert f'registry_integrity_broken_tags{{{labels},repository="team/app"}} 1\n' in shown
    assert f"push_time_seconds{{{labels.replace('bad', 'good')}}}" in shown
    assert "process_cpu" not in file.read_text()


@pytest.mark.parametrize(("answers", "status"), [(INTACT, 3), (BROKEN, 1)])
def test_metrics_that_cannot_be_delivered(
    start: Callable[[Answers], SetAnswers], tmp_path: Path, answers: Answers, status: int
):
    """It is said in a line, and the status tells, unless it tells of something broken; the file is there."""
    file = tmp_path / "registry.prom"
    result = run(
        "probe",
        *(f"--registry=one={start(answers).url}", "--log-level=error", "--log-format=json"),
        *(f"--textfile={file}", "--pushgateway=http://127.0.0.1:1"),
    )
    assert result.returncode == status
    (line,) = logged(result.stderr)
    assert (line["event"], line["registry"]) == ("metrics were not pushed", "one")
    assert line["trouble"].startswith("cannot push to http://127.0.0.1:1: ")
    assert result.stdout.startswith("one: ")
    assert "registry_integrity_cycles_total" in file.read_text()
    result = run("probe", f"--registry=one={start(answers).url}", f"--textfile={tmp_path}/no/x", "--quiet")
    assert result.returncode == status
    assert f"cannot write {tmp_path}/no/x: No such file or directory" in result.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_leave_the_files_as_they_were(
    start: Callable[[Answers], SetAnswers],
    launch: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    number: signal.Signals,
    status: int,
):
    """While it walks, and while it pushes: the last file stays, and there is no half of a new one."""
    file = tmp_path / "registry.prom"
    file.write_text("before\n")
    registry = start(INTACT)
    released = threading.Event()
    registry.hold = released.wait
    flags = [f"--registry={registry.url}", f"--textfile={file}", "--log-level=error"]
    process = launch("probe", *flags)
    assert registry.asked.wait(30)
    process.send_signal(number)
    assert (*process.communicate(timeout=30), process.returncode) == ("", "", status)
    released.set()
    registry.hold = None
    assert (file.read_text(), list(tmp_path.iterdir())) == ("before\n", [file])

    gateway = start({})
    gateway.hold = threading.Event().wait
    process = launch("probe", *flags, f"--pushgateway={gateway.url}")
    assert gateway.asked.wait(30)
    process.send_signal(number)
    assert (*process.communicate(timeout=30), process.returncode) == ("", "", status)
    assert list(tmp_path.iterdir()) == [file]


# check-config


def test_check_config(tmp_path: Path):
    """What counts is printed with its origin and without secrets, by itself on standard output."""
    file = tmp_path / "config.yml"
    file.write_text(f"username: u\npassword: {SECRET}\ninterval: 1h\n")
    result = run(
        "check-config",
        f"--config={file}",
        "--registry=one=https://registry.example",
        "--timeout=3s",
        REGISTRY_INTEGRITY_CONCURRENCY="4",
    )
    assert (result.returncode, result.stderr) == (0, "")
    lines = [line.strip() for line in result.stdout.splitlines()]
    listed = lines.index("registries:")
    assert lines[listed : listed + 3] == [
        "registries:",
        "- name: one  # flag --registry",
        "url: 'https://registry.example'  # flag --registry",
    ]
    given = [line for line in lines[listed + 3 :] if not line.endswith((":", "# default"))]
    assert given == [
        f"interval: 1h  # {file}, line 3, key interval",
        "concurrency: 4  # variable REGISTRY_INTEGRITY_CONCURRENCY",
        "timeout: 3s  # flag --timeout",
        "confirm_delay: 0s  # variable REGISTRY_INTEGRITY_CONFIRM_DELAY",
        f"username: u  # {file}, line 1, key username",
        f"password: '***'  # {file}, line 2, key password",
    ]


def test_nobody_reads_the_configuration(launch: Callable[..., subprocess.Popen[str]]):
    """A pipe that is closed at its other end is no error here either."""
    reader, writer = os.pipe()
    os.close(reader)
    process = launch("check-config", "--registry=http://127.0.0.1:1", stdout=writer)
    os.close(writer)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")


# serve


def serving(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the line that says where it serves."""
    assert process.stderr is not None
    for line in process.stderr:
        document: dict[str, Any] = json.loads(line)
        if document["event"] == "serving":
            return document
    raise AssertionError("it ended before it served")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve(
    start: Callable[[Answers], SetAnswers],
    launch: Callable[..., subprocess.Popen[str]],
    number: signal.Signals,
):
    """It says once what it does and where, serves metrics, and ends with 0 in the middle of a cycle."""
    registry = start(INTACT)
    released = threading.Event()
    registry.hold = released.wait
    flags = [f"--registry=one={registry.url}", "--listen-address=127.0.0.1:0", "--log-format=json"]
    process = launch("serve", *flags)
    first = serving(process)
    assert first["registries"] == {"one": registry.url}
    assert re.fullmatch(r"\d+\.\d+\.\d+", first["version"])
    (address,) = first["addresses"]
    assert registry.asked.wait(30)
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        assert b'registry_integrity_interval_seconds{registry="one"} 900' in answer.read()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=10)
    released.set()
    assert (process.returncode, stdout) == (0, "")
    assert [line["event"] for line in logged(stderr)] == ["stopping"]


def post(url: str) -> tuple[int, str]:
    """Ask with an empty body; return the status and the text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def log_line(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """Wait for a line of the log."""
    assert process.stderr is not None
    return next(line for line in map(json.loads, process.stderr) if line["event"] == event)


def test_serve_reads_its_configuration_again(
    start: Callable[[Answers], SetAnswers], launch: Callable[..., subprocess.Popen[str]], tmp_path: Path
):
    """On SIGHUP, and when somebody asks over HTTP, who is told how it went; flags still count more."""
    registry = start(INTACT)
    file = tmp_path / "config.yml"
    text = f"registries: {{one: {{url: '{registry.url}'}}}}\n"
    file.write_text(f"web: {{enable_lifecycle: true}}\n{text}")
    flags = [f"--config={file}", "--interval=7m", "--listen-address=127.0.0.1:0", "--log-format=json"]
    process = launch("serve", *flags)
    (address,) = serving(process)["addresses"]

    reload = f"http://{address}/-/reload"

    def shown(name: str) -> list[str]:
        with urllib.request.urlopen(f"http://{address}/metrics?name[]={name}", timeout=10) as answer:
            return [line for line in answer.read().decode().splitlines() if not line.startswith("#")]

    file.write_text(f"web: {{enable_lifecycle: true}}\ninterval: 1h\n{text.replace('one', 'two')}")
    assert post(reload) == (200, "reloaded\n")
    assert shown("registry_integrity_interval_seconds") == [
        'registry_integrity_interval_seconds{registry="two"} 420.0'
    ]
    file.write_text(f"passwrod: {SECRET}\n{text}")
    status, told = post(reload)
    assert status == 500
    assert told == (
        "failed to reload the configuration:\n"
        f"passwrod: ***: expected a key that is known; did you mean password? ({file}, line 1)\n"
    )
    assert shown("registry_integrity_config_last_reload_successful") == [
        "registry_integrity_config_last_reload_successful 0.0"
    ]
    file.write_text(text)
    process.send_signal(signal.SIGHUP)
    assert log_line(process, "configuration reloaded")["changed"] == []  # the one of POST
    assert log_line(process, "configuration reloaded")["added"] == ["one"]
    assert shown("registry_integrity_config_last_reload_successful") == [
        "registry_integrity_config_last_reload_successful 1.0"
    ]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_serve_is_not_asked_over_http_unless_allowed(
    start: Callable[[Answers], SetAnswers], launch: Callable[..., subprocess.Popen[str]]
):
    """Without the setting the answer is 403; the flag is enough."""
    registry = start(INTACT)
    for more, status in (([], 403), (["--web.enable-lifecycle"], 200)):
        flags = [f"--registry={registry.url}", "--listen-address=127.0.0.1:0", "--log-format=json", *more]
        process = launch("serve", *flags)
        (address,) = serving(process)["addresses"]
        assert post(f"http://{address}/-/reload")[0] == status


def test_hangup_before_the_loop_is_remembered():
    """A file that was changed while the program started is not overlooked."""
    before = signal.getsignal(signal.SIGHUP)
    try:
        came = commands.note(signal.SIGHUP)
        assert not came()
        signal.raise_signal(signal.SIGHUP)
        assert came()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_settings_reach_the_metrics(
    start: Callable[[Answers], SetAnswers], launch: Callable[..., subprocess.Popen[str]]
):
    """The host of images and the number of listed findings are the registry's own."""
    registry = start(BROKEN)
    flags = [f"--registry=one={registry.url}", "--listen-address=127.0.0.1:0", "--log-format=json"]
    process = launch("serve", *flags, REGISTRY_INTEGRITY_METRICS__IMAGE_HOST="images.example")
    (address,) = serving(process)["addresses"]
    assert process.stderr is not None
    next(line for line in process.stderr if '"cycle ended"' in line)
    pattern = rb'registry_integrity_broken_reference_info\{[^}]*image="images\.example/team/app:latest"'
    # The line is written before the metrics are: ask until they are there, or the test's time is over.
    while True:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            if re.search(pattern, answer.read()):
                break


# Shards


def many(number: int) -> dict[str, tuple[int, Any]]:
    """A registry of some repositories without a tag."""
    names = [f"team/app-{one}" for one in range(number)]
    lists = {f"/v2/{name}/tags/list": (200, {"tags": None}) for name in names}
    return {"/v2/_catalog": (200, {"repositories": names}), **lists}


def test_the_pods_of_a_job_share_the_repositories(start: Callable[[Answers], SetAnswers]):
    """Each walks what is its own, says in its log which shard it is, and together they walk all."""
    registry, walked = start(many(20)), 0
    flags = [f"--registry={registry.url}", "--shard=auto/3", "--output=json", "--log-format=json"]
    for index in range(3):
        result = run("probe", *flags, JOB_COMPLETION_INDEX=str(index))
        assert result.returncode == 0
        assert logged(result.stderr)[0]["shard"] == f"{index}/3"
        (report,) = json.loads(result.stdout)["registries"]
        assert 0 < report["repositories"] < 20
        walked += report["repositories"]
    assert walked == 20


def test_a_pod_of_a_stateful_set_serves_its_share(
    start: Callable[[Answers], SetAnswers], launch: Callable[..., subprocess.Popen[str]]
):
    """Its number is the ordinal in its host name; metrics and page say which shard it is."""
    registry = start(many(4))
    flags = [f"--registry=one={registry.url}", "--listen-address=127.0.0.1:0", "--log-format=json"]
    process = launch("serve", *flags, HOSTNAME="exporter-1", REGISTRY_INTEGRITY_SHARD="auto/2")
    first = serving(process)
    assert first["shard"] == "1/2"
    (address,) = first["addresses"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        assert b'registry_integrity_shard_info{registry="one",shard="1",shards="2"} 1.0' in answer.read()
    with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
        assert b"<p>Shard 1/2: this exporter walks" in answer.read()


# What should not happen


@pytest.fixture
def as_before() -> Iterator[None]:
    """Give back to the test run what `main` takes: it is for a process of its own."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name in ("exporter", "stamina"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("as_before")
def test_a_bug_is_no_finding(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """An error that nobody expected ends with a status of its own, its traceback logged without secrets."""

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"boom with {SECRET}")

    monkeypatch.setattr(commands, "_probe", fail)
    monkeypatch.setenv("REGISTRY_INTEGRITY_USERNAME", "u")
    monkeypatch.setenv("REGISTRY_INTEGRITY_PASSWORD", SECRET)
    monkeypatch.setattr(
        sys, "argv", ["exporter", "probe", "--registry=http://127.0.0.1:1", "--log-format=json"]
    )
    assert cli.main() == 70
    written = capsys.readouterr()
    assert written.out == ""
    (line,) = logged(written.err)
    assert (line["level"], line["event"]) == ("error", "the program failed, which is a bug")
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("RuntimeError: boom with ***")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_while_the_program_is_loaded(tmp_path: Path, number: signal.Signals, status: int):
    """Somebody who changes his mind at once sees no traceback: here a library's import is interrupted."""
    interruption = f"import signal\nsignal.raise_signal({number.value})\n"
    (tmp_path / "uvloop.py").write_text(interruption)
    result = run("probe", "--registry=http://127.0.0.1:1", PYTHONPATH=str(tmp_path))
    assert (result.returncode, result.stdout, result.stderr) == (status, "", "")


@pytest.mark.usefixtures("as_before")
def test_signals_before_and_after_the_loop(monkeypatch: pytest.MonkeyPatch):
    """Also where no event loop runs, a signal ends `probe` with its status and `serve` with 0."""

    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(commands, "_start", interrupted)
    monkeypatch.setattr(commands, "load_configuration", interrupted)
    for command, status in (("probe", 143), ("check-config", 143), ("serve", 0)):
        monkeypatch.setattr(sys, "argv", ["exporter", command])
        assert cli.main() == status


@pytest.mark.usefixtures("as_before")
def test_the_loop_is_uvloop():
    """The event loop is the fast one."""

    async def which() -> str:
        import asyncio

        return type(asyncio.get_running_loop()).__module__

    assert commands._run(which()) == "uvloop"
