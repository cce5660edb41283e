"""The same as `cluster.py`, in a container: used by the tests where a Docker engine answers.

In: deploy/postgres.Dockerfile. Out: the part of Cluster's interface that the tests' fixtures promise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage
from testcontainers.core.waiting_utils import wait_for_logs

from sandbox.cluster import SETTINGS
from sandbox.databases import Databases

HERE = Path(__file__).resolve().parent.parent


def engine_answers() -> bool:
    """Tell whether there is a Docker engine to start containers with."""
    try:
        client = docker.from_env(timeout=3)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except DockerException:
        return False


class ContainerCluster(Databases):
    """A server in a container; `with ContainerCluster() as cluster: …` removes it at the end."""

    def __init__(self) -> None:
        self._image = DockerImage(
            path=str(HERE / "deploy"), dockerfile_path="postgres.Dockerfile", tag="pggit-test-postgres"
        )
        self.settings = {name: value for name, value in SETTINGS.items() if name != "listen_addresses"} | {
            "fsync": "off"
        }
        self._container: DockerContainer | None = None

    def __enter__(self) -> Self:
        self._image.build()
        options = " ".join(f"-c {name}={value}" for name, value in self.settings.items())
        container = DockerContainer(str(self._image)).with_exposed_ports(5432)
        container = container.with_env("POSTGRES_HOST_AUTH_METHOD", "trust").with_command(f"postgres {options}")
        self._container = container.start()
        # The image's first start is for its own initialisation; the second one is ours.
        wait_for_logs(container, "(?s)ready to accept connections.*ready to accept connections", timeout=60)
        self.host = container.get_container_host_ip()
        self.port = int(container.get_exposed_port(5432))
        return self

    def __exit__(self, *_error: object) -> None:
        if self._container is not None:
            self._container.stop()
        self._image.remove()

    def log_text(self) -> str:
        """Return the server's log so far."""
        if self._container is None:
            return ""
        return b"".join(self._container.get_logs()).decode(errors="replace")
