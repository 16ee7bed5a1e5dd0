"""What goes wrong on the wire: each fault has one verdict and one reason, and harms nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.script import lines_of, script, walk_script
from tests.faults.victims import CONTENTS, KINDS, Verdict, digest_of, expected
from tests.registry.scripted import Reply, ScriptedServer, Then, error_reply, reply, serve

CHILD = CONTENTS["victim/child"].manifests[0]
LAYER = CONTENTS["victim/layer"].blobs[digest_of("layer")]
HEADERS = {"Content-Type": CHILD.media_type, "Docker-Content-Digest": CHILD.digest}
TRUNCATED = ("broken", "truncated")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that answers for all repositories as it should."""
    async with serve() as scripted:
        script(scripted)
        yield scripted


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


@pytest.mark.parametrize("fault", EVERYWHERE)
async def test_a_fault_of_any_answer_is_unverified_for_its_reason(
    server: ScriptedServer, tmp_path: Path, fault: str
) -> None:
    """Whether it was asked for by `HEAD` or `GET`, and however often."""
    what, reason = EVERYWHERE[fault]
    for kind in KINDS:
        for line in lines_of(kind):
            server.always(line, what)
    status, report, found = await walk_script(server, tmp_path)
    assert found == expected(reason, reason, reason)
    assert (status, report["outcome"]) == (3, "complete")


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


@pytest.mark.parametrize("fault", BODIES)
async def test_a_fault_of_a_body_is_judged_after_the_headers(
    server: ScriptedServer, tmp_path: Path, fault: str
) -> None:
    """What a connection brings too much harms no other question."""
    child, child_verdict, layer, layer_verdict = BODIES[fault]
    server.always(*lines_of("child"), child)
    server.always(*lines_of("layer"), layer)
    _, report, found = await walk_script(server, tmp_path)
    assert found == expected(None, child_verdict, layer_verdict)
    assert report["outcome"] == "complete"


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


@pytest.mark.parametrize("fault", PASSING)
async def test_what_fails_twice_and_then_answers_is_intact(
    server: ScriptedServer, tmp_path: Path, fault: str
) -> None:
    """It was asked again, and that is counted, but for what the connection pool does by itself."""
    for kind in KINDS:
        line = lines_of(kind)[0]
        server.answer(line, *[to(line, PASSING[fault])] * 2)
    status, report, found = await walk_script(server, tmp_path)
    assert (status, found) == (0, {})
    by_itself = len(KINDS) if fault in {"reset", "closed"} else 0
    assert 2 * len(KINDS) - by_itself <= report["extra_requests"]["retry"] <= 2 * len(KINDS)


@pytest.mark.parametrize("fault", ["429-with-a-time", "500", "reset", "silence"])
async def test_what_fails_twice_and_is_then_missing_is_missing(
    server: ScriptedServer, tmp_path: Path, fault: str
) -> None:
    """The last answer counts."""
    codes = {"tag": "MANIFEST_UNKNOWN", "child": "MANIFEST_UNKNOWN", "layer": "BLOB_UNKNOWN"}
    for kind in KINDS:
        first = lines_of(kind)[0]
        server.answer(first, *[to(first, PASSING[fault])] * 2)
        for line in lines_of(kind):
            server.always(line, to(line, error_reply(404, codes[kind])))
    status, _, found = await walk_script(server, tmp_path)
    missing = ("broken", "missing")
    assert (status, found) == (1, expected(missing, missing, missing))


async def test_bodies_that_end_early_twice_and_then_come_whole_are_intact(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The confirmation has the last word."""
    for line, what in (
        (*lines_of("child"), of_child(HALF, Then.CLOSE, WHOLE)),
        (*lines_of("layer"), of_layer(b"", Then.CLOSE)),
    ):
        server.answer(line, what, what)
    status, report, found = await walk_script(server, tmp_path)
    assert (status, found) == (0, {})
    assert report["extra_requests"]["confirmation"] > 0
