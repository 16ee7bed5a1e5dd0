"""`verify` on real parts: what tools push, what a proxy cuts, what is not there, and how it ends."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sample import content as make
from tests.artifacts.tools import Tools
from tests.parts.deeds import digest_of_target
from tests.parts.fixtures import StartAnswers, StartNginx, StartRegistry
from tests.parts.set_answers import SetAnswers
from tests.parts.waiting import wait_until
from tests.verification.running import COMMAND, environment, verify, verify_on_terminal

TAG = "1.2.3"
SECRET = "correct-horse-battery-staple"
ABSENT = {"/v2/app/manifests/latest": (404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})}
FORMS: Mapping[str, Callable[[Tools, str], None]] = {
    "skopeo-oci": lambda tools, image: tools.skopeo_push(tools.layout("oci"), image, "oci"),
    "skopeo-docker": lambda tools, image: tools.skopeo_push(tools.layout("docker"), image, "v2s2"),
    "buildah-oci": lambda tools, image: tools.buildah_push(tools.buildah_image("one"), image),
    "buildah-index": lambda tools, image: tools.buildah_push_list(
        "list", tuple(tools.buildah_image("list", one) for one in ("amd64", "arm64")), image, "oci"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_skopeo_and_buildah_push_passes(start_registry: StartRegistry, tmp_path: Path, form: str):
    """By tag and by digest, asked for and read whole."""
    registry = start_registry()
    FORMS[form](Tools(tmp_path), f"{registry.host}/{form}:{TAG}")
    done = verify("--output=json", "--quiet", f"{registry.host}/{form}:{TAG}")
    assert (done.status, done.document["registries"][0]["findings"], done.log) == (0, [], "")
    checked = done.document["registries"][0]["checked"]
    assert checked["tag"] == 1
    assert checked["config"] == (2 if form == "buildah-index" else 1)
    full = verify("--full", "--quiet", f"{registry.host}/{form}:{TAG}")
    assert full.status == 0
    assert re.fullmatch(
        r"Intact: 1 image, \d+ references, [\d.]+ (bytes|kB) read and hashed in [\d.]+ s. It can be pulled.",
        full.last_line,
    )
    digest = full.output.splitlines()[1].split()[0]
    assert verify("--quiet", f"{registry.host}/{form}@{digest}").status == 0
    if form == "buildah-index":
        assert verify("--quiet", "--platform=linux/arm64", f"{registry.host}/{form}:{TAG}").status == 0
        assert verify("--quiet", "--platform=linux/s390x", f"{registry.host}/{form}:{TAG}").status == 1


def test_a_proxy_that_cuts_bodies(start_registry: StartRegistry, start_nginx: StartNginx, tmp_path: Path):
    """Headers and last bytes come from the registry; of a whole layer its cache has but the beginning."""
    registry = start_registry()
    content = make.image("cut", layers=1, layer_size=100_000)
    asyncio.run(registry.push("app", content, TAG))
    digest = digest_of_target(content, "layer")
    cache = tmp_path / "cache"
    nginx = start_nginx(
        f"""
        keepalive_timeout 0;
        location / {{
            proxy_pass {registry.url};
            proxy_cache cut;
            proxy_cache_key $request_uri;
            proxy_cache_valid any 1h;
            proxy_set_header Range $http_range;
            proxy_cache_bypass $http_range;
            proxy_no_cache $http_range;
        }}
        """,
        http=f"proxy_cache_path {cache} keys_zone=cut:1m;",
    )
    image = f"{nginx.host}/app:{TAG}"
    assert verify("--quiet", "--full", image).status == 0
    cut(cache, digest)
    assert verify("--quiet", image).status == 0
    done = verify("--quiet", "--full", "--output=json", image)
    [finding] = done.document["registries"][0]["findings"]
    assert (done.status, finding["reason"], finding["digest"]) == (1, "truncated", digest)
    assert re.fullmatch("GET .* answered 200, but the body ended after 50000 bytes", finding["detail"])


def cut(cache: Path, digest: str) -> None:
    """Cut what nginx has cached of a layer, which it may still be writing down."""

    def kept() -> list[Path]:
        files = [file for file in cache.iterdir() if file.is_file()]
        return [file for file in files if f"/blobs/{digest}\n".encode() in file.read_bytes()[:2000]]

    async def look() -> list[Path]:
        return kept()

    [file] = asyncio.run(wait_until(look, lambda files: len(files) == 1, what="the layer cached"))
    head, separator, body = file.read_bytes().partition(b"\r\n\r\n")
    file.write_bytes(head + separator + body[:50_000])


# What is not there, and who does not answer


def test_an_image_and_a_repository_that_are_not_there(start_registry: StartRegistry):
    """A gate after a push fails: each is missing, said in a line of its own."""
    registry = start_registry()
    asyncio.run(registry.push("app", make.image("app"), TAG))
    done = verify("--quiet", f"{registry.host}/app:other", f"{registry.host}/nothing:{TAG}")
    assert (done.status, done.log) == (1, "")
    advice = "it is not in the registry: push it, or correct its name."
    assert done.output.splitlines() == [
        f"{registry.host}/app:other",
        "not resolved: broken, missing",
        "GET /v2/app/manifests/other answered 404 MANIFEST_UNKNOWN",
        "",
        f"{registry.host}/nothing:{TAG}",
        "not resolved: broken, missing",
        f"GET /v2/nothing/manifests/{TAG} answered 404 MANIFEST_UNKNOWN",
        "",
        f"Broken: {registry.host}/app:other (and 1 more of 2 images): {advice}",
    ]
    absent = verify("--quiet", f"{registry.host}/app@sha256:{'0' * 64}", "--output=json")
    [finding] = absent.document["registries"][0]["findings"]
    assert absent.status == 1
    assert (finding["reason"], finding["tags"]) == ("missing", [f"@sha256:{'0' * 64}"])


def test_a_repository_that_the_registry_calls_unknown(start: StartAnswers):
    """NAME_UNKNOWN is missing as well."""
    unknown = (404, {"errors": [{"code": "NAME_UNKNOWN"}]})
    registry = start({"/v2/app/manifests/latest": unknown})
    done = verify("--quiet", f"{registry.host}/app")
    assert done.status == 1
    assert "GET /v2/app/manifests/latest answered 404 NAME_UNKNOWN" in done.output.splitlines()


@pytest.mark.parametrize(
    ("status", "code", "reason"), [(401, "UNAUTHORIZED", "unauthorized"), (403, "DENIED", "forbidden")]
)
def test_no_permission(start: StartAnswers, status: int, code: str, reason: str):
    """What may not be asked for is not verified, and that is no success."""
    registry = start({"/v2/app/manifests/latest": (status, {"errors": [{"code": code}]})})
    done = verify("--quiet", f"{registry.host}/app")
    assert (done.status, done.log) == (3, "")
    assert done.output.splitlines()[:2] == [
        f"{registry.host}/app:latest",
        f"not resolved: unverified, {reason}",
    ]
    assert done.last_line == (
        f"Unverified: {registry.host}/app:latest: no permission ({reason}): log in to {registry.host}"
        " as somebody who may pull it."
    )


def test_a_registry_that_is_down_beside_one_that_is_not(start_registry: StartRegistry):
    """Both are in the document; what is intact is not held against what could not be asked."""
    registry = start_registry()
    asyncio.run(registry.push("app", make.image("app"), TAG))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        down = f"127.0.0.1:{taken.getsockname()[1]}"
        images = [f"{registry.host}/app:{TAG}", *(f"{down}/app{number}" for number in range(7))]
        done = verify("--quiet", "--output=json", *images)
        table = verify("--quiet", *images)
    up, other = done.document["registries"]
    assert done.status == table.status == 3
    assert (up["registry"], up["outcome"], up["findings"]) == (registry.host, "complete", [])
    assert (other["registry"], other["url"]) == (down, f"http://{down}")
    assert (other["outcome"], other["catalog_accessible"]) == ("failed", False)
    # One line each, even of those that were left alone after the others.
    assert [(one["reason"], one["tags"]) for one in other["findings"]] == [("connection", ["latest"])] * 7
    assert table.last_line == (
        f"Unverified: {down}/app0:latest (and 6 more of 8 images): http://{down} did not answer (connection):"
        " see that it runs, or try again later."
    )


def test_only_what_was_named_is_asked_for(start: StartAnswers):
    """No catalog, no list of tags, no other registry."""
    registry = start(ABSENT)
    assert verify("--quiet", f"{registry.host}/app", f"{registry.host}/other:two").status == 1
    assert set(registry.paths) == {"/v2/app/manifests/latest", "/v2/other/manifests/two"}


# Credentials


@pytest.mark.parametrize("place", ["DOCKER_CONFIG", "HOME", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"])
def test_credentials_that_other_tools_have_left(start: StartAnswers, tmp_path: Path, place: str):
    """They are found where docker login and podman login leave them, and are in nothing that is written."""
    registry = start(ABSENT)
    auth = base64.b64encode(f"user:{SECRET}".encode()).decode()
    file = {
        "DOCKER_CONFIG": tmp_path / "config.json",
        "HOME": tmp_path / ".docker" / "config.json",
        "REGISTRY_AUTH_FILE": tmp_path / "anything.json",
        "XDG_RUNTIME_DIR": tmp_path / "containers" / "auth.json",
    }[place]
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}), "utf-8")
    variable = {place: str(file if place == "REGISTRY_AUTH_FILE" else tmp_path)}
    done = verify(f"{registry.host}/app", "--log-level=debug", **variable)
    assert set(registry.authorizations) == {f"Basic {auth}"}
    assert SECRET not in done.output + done.log
    assert auth not in done.output + done.log


def test_credentials_for_listed_registries_go_to_no_other(start: StartAnswers):
    """A user and a password for all registries are for those that are listed."""
    listed, other = start(ABSENT), start(ABSENT)
    variables = {"REGISTRY_INTEGRITY_USERNAME": "user", "REGISTRY_INTEGRITY_PASSWORD": SECRET}
    images = [f"{one.host}/app" for one in (listed, other)]
    verify("--quiet", f"--registry={listed.url}", *images, **variables)
    assert set(other.authorizations) == {None}
    assert None not in listed.authorizations


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["team//app"], "usage error: image 'team//app': expected host/repository:tag or"),
        (["app:"], "usage error: image 'app:': expected host/repository:tag or"),
        (["app@sha256:0"], "usage error: image 'app@sha256:0': expected host/repository:tag or"),
        (["https://host/app"], "usage error: image 'https://host/app': expected host/repository:tag or"),
        (["app", "--platform=amd64"], "usage error: --platform 'amd64': expected a platform such as "),
        (["app", "--retries=-1"], "usage error: --retries '-1': expected a whole number from 0 to 100"),
        (["app", "--output=xml"], "'xml' is not one of 'table', 'json', 'junit'"),
        (["app", "--timeout=5"], "configuration error: timeout: '5': expected a duration such as "),
        ([], "Missing argument 'IMAGE'."),
    ],
)
def test_wrong_use_is_told_before_anything_is_asked(start: StartAnswers, arguments: list[str], said: str):
    """With the value and what was expected; nothing is printed."""
    registry = start(ABSENT)
    done = verify(f"{registry.host}/app", *arguments) if arguments else verify()
    assert (done.status, done.output) == (2, "")
    assert said in done.log
    assert "Traceback" not in done.log
    assert not registry.asked.is_set()


# Terminals and pipes


def test_the_screen_of_80_columns(start_registry: StartRegistry):
    """A real pseudo-terminal: bars, then a tree that fits, with whole digests and what is broken in red."""
    registry = start_registry()
    content = make.multi_platform("app")
    asyncio.run(registry.push("app", content, TAG))
    registry.damage.remove_data(digest_of_target(content, "layer"))
    screen = verify_on_terminal("--log-level=warning", f"{registry.host}/app:{TAG}")
    assert screen.status == 1
    assert "/s" in screen.written  # a rate was shown
    lines = screen.text.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("references" in line for line in lines)  # and is gone
    digests = {one.digest for one in content.manifests} | set(content.blobs)
    assert all(any(line.endswith(digest) for line in lines) for digest in digests)
    broken = digest_of_target(content, "layer")
    assert re.search(rf"\x1b\[1;31m[^\x1b]*{broken}", screen.written)


def test_a_screen_without_colors(start_registry: StartRegistry):
    """NO_COLOR is respected: nothing is red, green or yellow."""
    registry = start_registry()
    asyncio.run(registry.push("app", make.image("app"), TAG))
    screen = verify_on_terminal(f"{registry.host}/app:{TAG}", f"{registry.host}/app:other", NO_COLOR="1")
    assert screen.status == 1
    assert not re.search(r"\x1b\[[\d;]*3[0-7]", screen.written)


@pytest.mark.parametrize("output", ["table", "json", "junit"])
def test_a_pipe_gets_no_escape_codes_and_whole_lines(start_registry: StartRegistry, output: str):
    """Neither on standard output nor on standard error."""
    registry = start_registry()
    content = make.multi_platform("app")
    asyncio.run(registry.push("app", content, TAG))
    registry.damage.remove_data(digest_of_target(content, "layer"))
    done = verify(f"--output={output}", "--full", f"{registry.host}/app:{TAG}")
    assert done.status == 1
    assert "\x1b" not in done.output + done.log
    assert [line.split()[3] for line in done.log.splitlines()] == ["verifying"]
    if output == "table":
        sizes = [len(line) for line in done.output.splitlines()]
        assert max(sizes) > 120  # details are not wrapped
        assert done.output.count(digest_of_target(content, "config")) == 1


@pytest.mark.parametrize("output", ["table", "json", "junit"])
def test_nobody_reads(start: StartAnswers, output: str):
    """A pipe that is closed at its other end is no error: the status says what the result would have."""
    registry = start(ABSENT)
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [*COMMAND, "--quiet", f"--output={output}", f"{registry.host}/app"],
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writer)
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait(60)) == (b"", 1)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("flags", [["--output=json"], ["--full", "--retries=5"]])
def test_signals_end_it(start: StartAnswers, number: signal.Signals, status: int, flags: list[str]):
    """In the middle of it, with its own status; nothing half-done is printed."""
    registry = start(ABSENT)
    released = threading.Event()
    registry.hold = released.wait
    with subprocess.Popen(
        [*COMMAND, "--quiet", *flags, f"{registry.host}/app"],
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
def test_a_signal_leaves_the_terminal_as_it_was(start: StartAnswers, number: signal.Signals, status: int):
    """The bars are gone, the cursor is back."""
    registry = start(ABSENT)
    released = threading.Event()
    registry.hold = released.wait
    screen = verify_on_terminal(
        "--log-level=error", f"{registry.host}/app", during=lambda pid: _interrupt(registry, pid, number)
    )
    released.set()
    assert (screen.status, screen.text.strip()) == (status, "")
    assert screen.written.rindex("\x1b[?25h") > screen.written.rindex("\x1b[?25l")


def _interrupt(registry: SetAnswers, pid: int, number: signal.Signals) -> None:
    assert registry.asked.wait(30)
    os.kill(pid, number)


def test_it_is_repeated_until_it_is_intact(start_registry: StartRegistry):
    """What is pushed while it waits passes."""
    registry = start_registry()
    with subprocess.Popen(
        [*COMMAND, "--retries=9", "--log-format=json", f"{registry.host}/app:{TAG}"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        again = next(line for line in map(json.loads, process.stderr) if line["event"] != "verifying")
        asyncio.run(registry.push("app", make.image("app"), TAG))
        stdout, _ = process.communicate(timeout=60)
    assert (again["event"], again["retries_left"]) == ("not intact, verified again", 9)
    assert again["images"] == [f"{registry.host}/app:{TAG}"]
    assert (process.returncode, stdout.splitlines()[-1][:7]) == (0, "Intact:")
