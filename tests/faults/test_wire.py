"""What goes wrong on the wire: each fault has one verdict and one reason, and harms nothing else."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.script import Scenario, lines_of, walk_scripts
from tests.faults.victims import CONTENTS, KINDS, Verdict, Walked, digest_of, expected
from tests.registry.scripted import Reply, ScriptedServer, Then, error_reply, reply

CHILD = CONTENTS["victim/child"].manifests[0]
LAYER = CONTENTS["victim/layer"].blobs[digest_of("layer")]
HEADERS = {"Content-Type": CHILD.media_type, "Docker-Content-Digest": CHILD.digest}
TRUNCATED = ("broken", "truncated")


def raw(text: str, then: Then = Then.CLOSE) -> Reply:
    return Reply(text.replace("\n", "\r\n").encode("latin-1"), then)


EVERYWHERE = {
    "reset-before-an-answer": (Reply(b"", Then.RESET), "connection"),
    "closed-before-an-answer": (Reply(b"", Then.CLOSE), "connection"),
    "closed-in-the-status": (raw("HTTP/1.1 20"), "connection"),
    "closed-in-the-headers": (raw("HTTP/1.1 200 OK\nContent-Le"), "connection"),
    "silence": (Reply(b"", Then.STALL), "timeout"),
    "silence-in-the-headers": (raw("HTTP/1.1 200 OK\nContent-Le", Then.STALL), "timeout"),
    "another-protocol": (raw("SSH-2.0-OpenSSH_9.2\n\n"), "protocol"),
    "http-2-unasked": (Reply(b"\0\0\x12\4\0\0\0\0\0" + b"\0" * 18, Then.CLOSE), "protocol"),
    "no-status": (raw("HTTP/1.1 OK\n\n"), "protocol"),
    "a-status-of-four-digits": (raw("HTTP/1.1 2000 OK\nContent-Length: 0\n\n"), "protocol"),
    "a-header-without-a-name": (raw("HTTP/1.1 200 OK\n: x\nContent-Length: 0\n\n"), "protocol"),
    "a-header-without-end": (raw(f"HTTP/1.1 200 OK\nX: {'x' * 300_000}\n\n"), "protocol"),
    "headers-without-end": (raw("HTTP/1.1 200 OK\n" + "X: x\n" * 50_000 + "\n"), "protocol"),
    "a-length-that-is-no-number": (raw("HTTP/1.1 200 OK\nContent-Length: many\n\n"), "protocol"),
    "a-negative-length": (raw("HTTP/1.1 200 OK\nContent-Length: -1\n\n"), "protocol"),
    "two-lengths": (raw("HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\nx"), "protocol"),
    "compressed-unasked": (reply(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}), "protocol"),
    "redirected-to-nowhere": (reply(307), "protocol"),
    "unauthorized-with-a-strange-challenge": (
        reply(401, headers={"WWW-Authenticate": 'Bearer realm="\x7f", Negotiate, "\\'}),
        "unauthorized",
    ),
}


def everywhere(what: Reply) -> Scenario:
    def change(server: ScriptedServer) -> None:
        for kind in KINDS:
            for line in lines_of(kind):
                server.always(line, what)

    return change


@pytest.fixture(scope="module")
def met_everywhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Walked]:
    """What is told of each of these faults, met at every kind of reference."""
    scenarios = {name: everywhere(what) for name, (what, _) in EVERYWHERE.items()}
    return asyncio.run(walk_scripts(scenarios, tmp_path_factory.mktemp("probe")))


@pytest.mark.parametrize("fault", EVERYWHERE)
def test_a_fault_of_any_answer_is_unverified_for_its_reason(
    met_everywhere: dict[str, Walked], fault: str
) -> None:
    """Whether it was asked for by `HEAD` or `GET`, and however often."""
    walked, reason = met_everywhere[fault], EVERYWHERE[fault][1]
    assert walked.found == expected(reason, reason, reason)
    assert walked.report["outcome"] == "complete"


def of_child(body: bytes, then: Then = Then.KEEP, length: int | None = None, status: int = 200) -> Reply:
    return reply(status, body, HEADERS, length=length, then=then)


def of_layer(body: bytes, then: Then = Then.KEEP, length: int = 1) -> Reply:
    last = len(LAYER) - 1
    return reply(206, body, {"Content-Range": f"bytes {last}-{last}/{len(LAYER)}"}, length=length, then=then)


def ranged(content_range: str) -> Reply:
    return reply(206, LAYER[-1:], {"Content-Range": content_range} if content_range else {})


def chunked(status: int, chunks: str, then: Then = Then.CLOSE) -> Reply:
    last = len(LAYER) - 1
    return raw(
        f"HTTP/1.1 {status} OK\nTransfer-Encoding: chunked\nContent-Type: {CHILD.media_type}\n"
        f"Content-Range: bytes {last}-{last}/{len(LAYER)}\n\n{chunks}",
        then,
    )


HALF, WHOLE = CHILD.data[:100], CHILD.size
SIZE_MISMATCH = ("broken", "size_mismatch")
BODIES: dict[str, tuple[Reply, Verdict, Reply, Verdict]] = {
    "ends-early": (
        *(of_child(HALF, Then.CLOSE, WHOLE), TRUNCATED),
        *(of_layer(b"", Then.CLOSE), TRUNCATED),
    ),
    "reset": (
        *(of_child(HALF, Then.RESET, WHOLE), TRUNCATED),
        *(of_layer(b"", Then.RESET), TRUNCATED),
    ),
    "never-ends": (
        *(of_child(HALF, Then.STALL, WHOLE), "timeout"),
        *(of_layer(b"", Then.STALL), "timeout"),
    ),
    "ends-in-a-chunk": (
        *(chunked(200, "64\n{"), TRUNCATED),
        *(chunked(206, "1\n"), TRUNCATED),
    ),
    "ends-between-chunks": (
        *(chunked(200, "1\n{\n"), TRUNCATED),
        *(chunked(206, ""), TRUNCATED),
    ),
    "chunks-are-none": (
        *(chunked(200, "many\n{}\n"), "protocol"),
        *(chunked(206, "-1\nx\n"), "protocol"),
    ),
    "longer-than-announced": (
        *(of_child(CHILD.data, length=10), "protocol"),
        *(of_layer(LAYER), "protocol"),
    ),
    "shorter-and-says-so": (
        *(of_child(HALF), ("broken", "digest_mismatch")),
        *(of_layer(b"", length=0), TRUNCATED),
    ),
    "longer-than-any-manifest": (
        *(of_child(b" " * (4 * 1024 * 1024 + 1)), "too_large"),
        *(of_layer(LAYER * 100_000, length=len(LAYER) * 100_000), None),
    ),
    "of-another-range": (
        *(of_child(HALF, status=206), "protocol"),
        *(ranged("bytes 0-0/64"), "protocol"),
    ),
    "of-no-range": (*(of_child(CHILD.data, status=203), "protocol"), *(ranged(""), "protocol")),
    "of-a-range-of-nothing": (
        *(of_child(b""), ("broken", "digest_mismatch")),
        *(ranged("bytes */64"), "protocol"),
    ),
    "of-a-shorter-whole": (
        *(of_child(b"{}"), ("broken", "digest_mismatch")),
        *(ranged("bytes 63-63/1"), SIZE_MISMATCH),
    ),
    "of-a-longer-whole": (
        *(of_child(CHILD.data + b"\n"), ("broken", "digest_mismatch")),
        *(ranged("bytes 63-63/65"), SIZE_MISMATCH),
    ),
}


def bodies(child: Reply, layer: Reply) -> Scenario:
    def change(server: ScriptedServer) -> None:
        server.always(*lines_of("child"), child)
        server.always(*lines_of("layer"), layer)

    return change


@pytest.fixture(scope="module")
def met_in_bodies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Walked]:
    """What is told of each of these faults."""
    scenarios = {name: bodies(child, layer) for name, (child, _, layer, _) in BODIES.items()}
    return asyncio.run(walk_scripts(scenarios, tmp_path_factory.mktemp("probe")))


@pytest.mark.parametrize("fault", BODIES)
def test_a_fault_of_a_body_is_judged_after_the_headers(met_in_bodies: dict[str, Walked], fault: str) -> None:
    """What a connection brings too much harms no other question."""
    walked, (_, child, _, layer) = met_in_bodies[fault], BODIES[fault]
    assert walked.found == expected(None, child, layer)
    assert walked.report["outcome"] == "complete"


PASSING = {
    "408": reply(408),
    "429": error_reply(429, "TOOMANYREQUESTS"),
    "429-with-a-time": error_reply(429, "TOOMANYREQUESTS", **{"Retry-After": "0"}),
    "500": error_reply(500, "UNKNOWN"),
    "502": reply(502, b"<html>Bad gateway</html>"),
    "503": reply(503),
    "503-with-a-time": reply(503, headers={"Retry-After": "0"}),
    "504": reply(504),
    "reset": Reply(b"", Then.RESET),
    "closed": Reply(b"", Then.CLOSE),
    "silence": Reply(b"", Then.STALL),
}


def to(line: str, what: Reply) -> Reply:
    """The reply to a request; to `HEAD` without its body."""
    head, separator, _ = what.data.partition(b"\r\n\r\n")
    return Reply(head + separator, what.then) if line.startswith("HEAD") else what


def passing(what: Reply, *, missing: bool) -> Scenario:
    codes = {"tag": "MANIFEST_UNKNOWN", "child": "MANIFEST_UNKNOWN", "layer": "BLOB_UNKNOWN"}

    def change(server: ScriptedServer) -> None:
        for kind in KINDS:
            first = lines_of(kind)[0]
            server.answer(first, *[to(first, what)] * 2)
            for line in lines_of(kind) if missing else ():
                server.always(line, to(line, error_reply(404, codes[kind])))

    return change


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Walked]:
    """What is told where each of these faults is met twice and no more."""
    scenarios = {
        f"{name}-{'missing' if missing else 'intact'}": passing(what, missing=missing)
        for name, what in PASSING.items()
        for missing in (False, True)
    }
    return asyncio.run(walk_scripts(scenarios, tmp_path_factory.mktemp("probe")))


@pytest.mark.parametrize("fault", PASSING)
def test_what_fails_twice_and_then_answers_is_intact(passed: dict[str, Walked], fault: str) -> None:
    """It was asked again, and that is counted, but for what the connection pool does by itself."""
    walked = passed[f"{fault}-intact"]
    assert walked.found == {}
    by_itself = len(KINDS) if fault in {"reset", "closed"} else 0
    assert 2 * len(KINDS) - by_itself <= walked.report["extra_requests"]["retry"] <= 2 * len(KINDS)


@pytest.mark.parametrize("fault", PASSING)
def test_what_fails_twice_and_is_then_missing_is_missing(passed: dict[str, Walked], fault: str) -> None:
    """The last answer counts."""
    missing = ("broken", "missing")
    assert passed[f"{fault}-missing"].found == expected(missing, missing, missing)


async def test_bodies_that_end_early_twice_and_then_come_whole_are_intact(tmp_path: Path) -> None:
    """The confirmation has the last word."""

    def twice(server: ScriptedServer) -> None:
        child, layer = of_child(HALF, Then.CLOSE, WHOLE), of_layer(b"", Then.CLOSE)
        server.answer(*lines_of("child"), child, child)
        server.answer(*lines_of("layer"), layer, layer)

    walked = (await walk_scripts({"twice": twice}, tmp_path))["twice"]
    assert walked.found == {}
    assert walked.report["extra_requests"]["confirmation"] > 0
