"""The servers that walks are measured against, each holding a registry of a given shape."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.shape import Shape
from sample.process import Process
from sample.registry import DockerRegistry, RegistryOptions
from sample.store import store
from tests.parts.nginx import Nginx

_LOCATIONS: Final = """
    root www;
    default_type application/octet-stream;
    etag off;
    access_log off;
    keepalive_requests 1000000000;
    open_file_cache max=100000 inactive=1h;
    open_file_cache_valid 1h;
    add_header Docker-Content-Digest $content_digest;
"""


@contextmanager
def docker_registry(shape: Shape) -> Iterator[DockerRegistry]:
    """Run a docker-registry, set up as the official image is."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        # This process reads every line of the log, on a core that is wanted elsewhere.
        quiet = {"log": {"accesslog": {"disabled": True}}}
        registry = DockerRegistry(Path(folder), RegistryOptions(cache=True, more=quiet))
        for name in shape.names():
            for tag, content in shape.contents(name):
                store(registry.storage, name, content, tag)
        with registry:
            yield registry


@contextmanager
def static_nginx(shape: Shape) -> Iterator[str]:
    """Run an nginx whose files are the answers of a registry; give its address."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        digests = _write_answers(Path(folder) / "www", shape)
        http = f"""
            map_hash_max_size 262144;
            map_hash_bucket_size 256;
            map $uri $content_digest {{
                ~(?<digest>sha256:[0-9a-f]+)$ $digest;
                {digests}
            }}
        """
        with Nginx(Path(folder), _LOCATIONS, http=http) as nginx:
            yield nginx.url


@contextmanager
def slow_proxy(host: str, port: int, delay: float) -> Iterator[str]:
    """Run a proxy before a server, in a process of its own; give its address."""
    command = [sys.executable, "-m", "bench.slow_proxy", host, str(port), str(delay)]
    with Process(command, name="slow proxy", folder=Path(__file__).resolve().parents[1]) as process:
        listening = process.wait_for_line(r"^listening on (\d+)$")
        yield f"http://127.0.0.1:{listening[1]}"


def _write_answers(folder: Path, shape: Shape) -> str:
    """Write what a registry answers as files; return which tag has which digest, for nginx's `map`."""
    names = list(shape.names())
    _write(folder / "v2/_catalog", json.dumps({"repositories": names}).encode())
    digests = []
    for name in names:
        below = folder / "v2" / name
        tags = []
        for tag, content in shape.contents(name):
            tags.append(tag)
            digests.append(f"/v2/{name}/manifests/{tag} {content.digest};")
            _write(below / "manifests" / tag, content.root.data)
            for manifest in content.manifests:
                _write(below / "manifests" / manifest.digest, manifest.data)
            for digest, data in content.blobs.items():
                _write(below / "blobs" / digest, data)
        _write(below / "tags/list", json.dumps({"name": name, "tags": tags}).encode())
    return "\n".join(digests)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
