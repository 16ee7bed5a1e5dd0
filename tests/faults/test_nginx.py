"""A proxy before the registry that fails at single references: each fault has one verdict and one reason."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sample.registry import DockerRegistry
from tests.faults.victims import CONTENTS, KINDS, TAG, Verdict, expected, path_of, walk
from tests.parts.fixtures import StartNginx, StartRegistry
from tests.parts.nginx import Nginx

StartProxy = Callable[..., Nginx]


@pytest.fixture
async def registry(start_registry: StartRegistry) -> DockerRegistry:
    running = start_registry()
    for name, content in CONTENTS.items():
        await running.push(name, content, TAG)
    return running


@pytest.fixture
def start_proxy(registry: DockerRegistry, start_nginx: StartNginx) -> StartProxy:
    """Start an nginx that does something of its own where the victims are asked for."""

    def start(fault: str, *, kinds: tuple[str, ...] = KINDS, http: str = "") -> Nginx:
        passed = f"proxy_pass {registry.url}; proxy_set_header Host $http_host;"
        fault = fault.replace("PASS", passed)
        places = "\n".join(f"location = {path_of(kind)} {{ {fault} }}" for kind in kinds)
        return start_nginx(f"location / {{ {passed} }}\n{places}", http=http.replace("PASS", passed))

    return start


def errors(status: int, code: str) -> str:
    return f"""default_type application/json; return {status} '{{"errors":[{{"code":"{code}"}}]}}';"""


STATUSES = {
    "401": ("return 401;", "unauthorized"),
    "401-with-a-challenge": (
        """add_header WWW-Authenticate 'Basic realm="registry"' always; return 401;""",
        "unauthorized",
    ),
    "403": ("return 403;", "forbidden"),
    "403-denied": (errors(403, "DENIED"), "forbidden"),
    "404-of-a-proxy": ("return 404;", "protocol"),
    "404-without-a-word": ("return 404 '';", "protocol"),
    "404-of-another-api": (errors(404, "PAGE_NOT_FOUND"), "protocol"),
    "404-of-no-list": ("""return 404 '{"errors": "MANIFEST_UNKNOWN"}';""", "protocol"),
    "405": ("return 405;", "protocol"),
    "406": ("return 406;", "protocol"),
    "408": ("return 408 'too slow';", "timeout"),  # without a text nginx says nothing at all
    "410": ("return 410;", "protocol"),
    "418": ("return 418;", "protocol"),
    "451": ("return 451;", "protocol"),
    "429": ("add_header Retry-After 0 always; return 429;", "rate_limited"),
    "429-without-a-word": ("return 429;", "rate_limited"),
    "500": (errors(500, "UNKNOWN"), "server_error"),
    "502": ("return 502;", "server_error"),
    "503": ("return 503;", "server_error"),
    "504": ("return 504;", "server_error"),
    "204": ("return 204;", "protocol"),
    "304": ("return 304;", "protocol"),
    "no-answer": ("return 444;", "connection"),
    "redirect-to-itself": ("return 307 $request_uri;", "protocol"),
    "redirect-to-no-web-address": ("return 307 file:///etc/passwd;", "protocol"),
    "origin-down": ("proxy_pass http://unix:/nowhere.sock;", "server_error"),
}


@pytest.mark.parametrize(("fault", "reason"), STATUSES.values(), ids=STATUSES)
def test_a_fault_at_every_kind_of_reference_is_unverified_for_its_reason(
    start_proxy: StartProxy, tmp_path: Path, fault: str, reason: str
) -> None:
    """Whether it meets `HEAD` or `GET`; the bystander has no finding."""
    status, report, found = walk(start_proxy(fault).url, tmp_path)
    assert found == expected(reason, reason, reason)
    assert (status, report["outcome"], report["repositories"]) == (3, "complete", len(CONTENTS))
