"""nginx before a docker-registry: another origin for the data, a path, and bodies that are cut or empty."""

import pytest

from exporter.integrity import Finding
from exporter.registry import Credentials, Errand, Purpose, open_client
from sample import content
from sample.registry import DockerRegistry
from sample.storage import blob_data, repository_folder
from tests.parts.fixtures import StartNginx, StartRegistry
from tests.parts.nginx import Nginx
from tests.registry_real.walking import outcome, put, walk

ANN = Credentials("ann", "s3cr3t")
# What each nginx was shown of secrets.
SHOWN = "log_format shown '$request_method $uri [$http_authorization]';"
PASSED = "proxy_set_header Host $http_host;"


def before(registry: DockerRegistry, more: str = "") -> str:
    """Pass everything on, but for what `more` says."""
    return f"access_log shown.log shown; {more} location / {{ proxy_pass {registry.url}; {PASSED} }}"


def shown(nginx: Nginx) -> list[str]:
    """The method, the path and the header of each request."""
    return (nginx.folder / "shown.log").read_text().splitlines()


@pytest.fixture
def registry(start_registry: StartRegistry) -> DockerRegistry:
    return start_registry()


@pytest.fixture
def store(registry: DockerRegistry, start_nginx: StartNginx) -> Nginx:
    """Serves the data of blobs, as object storage does; with an error of its own for what is not there."""
    root = registry.storage.root / "docker/registry/v2"
    return start_nginx(f"access_log shown.log shown; root {root};", http=SHOWN)


@pytest.fixture
def front(registry: DockerRegistry, store: Nginx, start_nginx: StartNginx) -> Nginx:
    """Sends whoever asks for a blob to the store, with a signature in the address."""
    target = f"{store.url}/blobs/sha256/$1/$1$2/data?X-Amz-Signature=signed"
    away = f"location ~ ^/v2/.+/blobs/sha256:(..)(.+)$ {{ return 307 {target}; }}"
    return start_nginx(before(registry, away), http=SHOWN)


async def test_blobs_that_are_elsewhere_are_found_there_and_no_secret_goes_along(
    registry: DockerRegistry, front: Nginx, store: Nginx
):
    """Each costs a redirect; the store sees no header that says who asks, the front sees one each time."""
    references = put(registry)
    report = await walk(front.url, credentials=ANN)
    assert outcome(report) == ("complete", None, references, {})
    assert report.extra_requests[Purpose.REDIRECT] == len(shown(store)) == 12
    assert {line.rpartition(" ")[2] for line in shown(store)} == {"[-]"}
    assert {line.rpartition(" [")[2] for line in shown(front)} == {f"{ANN.basic}]"}


async def test_blob_that_the_store_lost_is_missing(registry: DockerRegistry, front: Nginx):
    """Its 404 has no code of a registry's, and is one all the same; no signature is in the finding."""
    put(registry, "team/app")
    image = content.multi_platform("image of team/app")
    lost = image.manifests[0].layers[0].digest
    registry.damage.remove_data(lost)
    (finding,) = (await walk(front.url)).findings()
    assert (str(finding.digest), finding.verdict.value, finding.reason.value) == (lost, "broken", "missing")
    assert "answered 404 after a redirect" in finding.detail
    assert "signed" not in repr(finding)


async def test_blob_that_the_store_keeps_from_us_is_forbidden_and_not_missing(
    registry: DockerRegistry, front: Nginx
):
    """As S3 answers who may not list, for what is there and for what is not."""
    put(registry, "team/app")
    image = content.multi_platform("image of team/app")
    kept = image.manifests[0].layers[0].digest
    file = registry.storage.root / blob_data(kept)
    data = file.read_bytes()
    file.unlink()
    file.mkdir()  # which nginx forbids to list
    (file / "inside").write_bytes(data)
    reasons = {(one.verdict.value, one.reason.value) for one in (await walk(front.url)).findings()}
    assert reasons <= {("unverified", "forbidden"), ("unverified", "protocol")}


async def test_registry_below_a_path_is_walked(registry: DockerRegistry, start_nginx: StartNginx):
    """Which nginx takes away; the links of its pages do not know of it, and are followed all the same."""
    references = put(registry)
    below = f"location /artifactory/docker/ {{ proxy_pass {registry.url}/; {PASSED} }}"
    nginx = start_nginx(f"{below} location / {{ return 404; }}")
    url = f"{nginx.url}/artifactory/docker"
    assert outcome(await walk(url)) == ("complete", None, references, {})
    for number in range(1500):
        registry.storage.write(f"{repository_folder(f'many/{number}')}/_layers/x", b"")
    async with open_client(url) as client:
        assert len(await client.catalog(Errand())) == 1502
    assert {line.split()[1].partition("/v2/")[0] for line in nginx.access_log()} == {"/artifactory/docker"}


async def test_registry_that_knows_its_path_is_walked(start_registry: StartRegistry, start_nginx: StartNginx):
    """docker-registry's own `http.prefix`, behind a proxy that takes nothing away."""
    registry = start_registry(more={"http": {"prefix": "/registry/"}})
    references = put(registry)
    nginx = start_nginx(before(registry), http=SHOWN)
    report = await walk(f"{nginx.url}/registry")
    assert outcome(report) == ("complete", None, references, {})


@pytest.fixture
def emptied(start_registry: StartRegistry) -> DockerRegistry:
    """A registry whose memory says that it has what its storage lost."""
    return start_registry(cache=True)


async def test_body_that_is_cut_is_truncated_and_confirmed(emptied: DockerRegistry, start_nginx: StartNginx):
    """nginx passes on the right headers and ends the connection; it is asked again before it is believed."""
    put(emptied, "team/app")
    nginx = start_nginx(before(emptied), http=SHOWN)
    assert list((await walk(nginx.url)).findings()) == []
    lost = content.multi_platform("image of team/app").manifests[0].layers[0].digest
    emptied.damage.remove_data(lost)
    (finding,) = (await walk(nginx.url)).findings()
    assert described(finding) == ("broken", "truncated", lost)


async def test_empty_body_of_a_proxy_is_a_wrong_size(registry: DockerRegistry, start_nginx: StartNginx):
    """`200` with nothing in it, whatever was asked for."""
    put(registry, "team/app")
    empty = content.multi_platform("image of team/app").manifests[0].layers[0].digest
    nginx = start_nginx(before(registry, f"location ~ /blobs/{empty} {{ return 200 ''; }}"), http=SHOWN)
    (finding,) = (await walk(nginx.url)).findings()
    assert described(finding) == ("broken", "size_mismatch", empty)


def described(finding: Finding) -> tuple[str, str, str]:
    return finding.verdict.value, finding.reason.value, str(finding.digest)
