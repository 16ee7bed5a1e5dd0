"""The tools that people push with, run as people run them, each in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.parts.programs import find_program

_TIMEOUT = 60.0


class ToolError(Exception):
    """A tool failed; the message holds what it wrote."""


class Tools:
    """skopeo, umoci, buildah, helm and ORAS, which keep what they need in `folder` and read nothing outside.

    An image is named `host/repository:tag`, and every registry is spoken to without TLS.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._policy = folder / "policy.json"
        self._policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}), "utf-8")
        registries = folder / "registries.conf"
        registries.touch()
        credentials = folder / "auth.json"
        credentials.write_text("{}", "utf-8")
        run_folder = folder / "run"
        run_folder.mkdir(mode=0o700)
        self._environment = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(run_folder),
            "TMPDIR": str(run_folder),
            "REGISTRY_AUTH_FILE": str(credentials),
            "CONTAINERS_REGISTRIES_CONF": str(registries),
        }

    def layout(self, name: str, *, layers: int = 2, architecture: str = "amd64") -> str:
        """Let umoci make an OCI layout that holds one image; return its name for skopeo."""
        layout, content = self.folder / name, self.folder / f"{name}.txt"
        umoci = find_program("umoci")
        image = f"{layout}:latest"
        self._run(umoci, "init", "--layout", str(layout))
        self._run(umoci, "new", "--image", image)
        self._run(umoci, "config", "--image", image, "--os", "linux", "--architecture", architecture)
        for number in range(layers):
            content.write_text(f"{name} {number}", "utf-8")
            self._run(umoci, "insert", "--image", image, str(content), f"/file-{number}")
        return f"oci:{image}"

    def skopeo_push(self, source: str, image: str, form: str) -> None:
        """Copy an image to a registry, as `oci`, `v2s2` or `v2s1`."""
        options = ("--dest-tls-verify=false", "--format", form, "--quiet")
        self._skopeo("copy", *options, source, f"docker://{image}")

    def skopeo_pull(self, image: str, name: str) -> None:
        """Copy all of an image from a registry, every platform of it.

        Raises:
            ToolError: something of it cannot be had.
        """
        options = ("--all", "--src-tls-verify=false", "--quiet")
        self._skopeo("copy", *options, f"docker://{image}", f"dir:{self.folder / name}")

    def buildah_image(self, name: str, architecture: str = "amd64") -> str:
        """Build an image from scratch with one file in it; return its name for buildah."""
        content = self.folder / f"{name}.txt"
        content.write_text(f"{name} {architecture}", "utf-8")
        container = self._buildah("from", "--name", f"{name}-{architecture}", "scratch")
        self._buildah("copy", container, str(content), "/file")
        self._buildah("config", "--arch", architecture, "--os", "linux", "--cmd", "/file", container)
        built = f"localhost/{name}:{architecture}"
        self._buildah("commit", "--signature-policy", str(self._policy), "--rm", "--quiet", container, built)
        return built

    def buildah_push(self, built: str, image: str, *options: str) -> None:
        """Push an image that was built."""
        policy = ("--signature-policy", str(self._policy))
        self._buildah("push", *policy, "--tls-verify=false", "--quiet", *options, built, f"docker://{image}")

    def buildah_push_list(self, name: str, built: tuple[str, ...], image: str, form: str) -> None:
        """Make a list of images that were built, and push it and them, as `oci` or `v2s2`."""
        policy = ("--signature-policy", str(self._policy))
        self._buildah("manifest", "create", name)
        for one in built:
            self._buildah("manifest", "add", name, f"containers-storage:{one}")
        options = ("--all", "--tls-verify=false", "--quiet", "--format", form)
        self._buildah("manifest", "push", *policy, *options, name, f"docker://{image}")

    def helm_push(self, name: str, version: str, remote: str) -> None:
        """Let Helm's own SDK create, package and push a chart to `host/repository`, the name added to it."""
        self._python(
            "import sys; from helm_python import chart, registry;"
            "folder, name, version, remote = sys.argv[1:];"
            "chart.Chart.create(name, folder);"
            "package = chart.package(f'{folder}/{name}', destination=folder, version=version);"
            "registry.push(package, f'oci://{remote}', plain_http=True)",
            str(self.folder),
            name,
            version,
            remote,
        )

    def oras_push(self, image: str, *files: Path, subject: Mapping[str, Any] | None = None) -> None:
        """Push files as `text/plain`; `subject` is the descriptor of what they are about."""
        self._python(
            "import json, sys; from oras.client import OrasClient; from oras.oci import Subject;"
            "image, subject, *files = sys.argv[1:]; subject = json.loads(subject);"
            "client = OrasClient(hostname=image.partition('/')[0], insecure=True);"
            "client.push(image, files=[f'{file}:text/plain' for file in files], quiet=True,"
            " subject=Subject(**subject) if subject else None, disable_path_validation=True)",
            image,
            json.dumps(subject),
            *map(str, files),
        )

    def _skopeo(self, *arguments: str) -> str:
        return self._run(find_program("skopeo"), "--policy", str(self._policy), *arguments)

    def _buildah(self, *arguments: str) -> str:
        # vfs and chroot need neither a kernel's file systems nor namespaces.
        storage = ("--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run/storage"))
        environment = {"BUILDAH_ISOLATION": "chroot"}
        buildah = find_program("buildah")
        return self._run(buildah, "--storage-driver=vfs", *storage, *arguments, environment=environment)

    def _python(self, program: str, *arguments: str) -> None:
        # In a process of its own: the SDKs load much, and keep files in the home folder.
        self._run(Path(sys.executable), "-c", program, *arguments)

    def _run(self, program: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env={**os.environ, **self._environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            raise ToolError(
                f"{program.name} {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
            )
        return done.stdout.strip()
