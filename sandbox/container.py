"""The same as `cluster.py`, in a container: used by the tests where a Docker engine answers.

In: deploy/postgres.Dockerfile. Out: the part of Cluster's interface that the tests' fixtures promise.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

import docker  # type: ignore[import-untyped]  # it carries no types
import psycopg
from docker.errors import DockerException  # type: ignore[import-untyped]  # it carries no types
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage

from sandbox.cluster import FAST, SETTINGS, START_TIMEOUT, ClusterFailed
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
        self.settings = {name: value for name, value in SETTINGS.items() if name != "listen_addresses"}
        self.settings |= FAST
        self._container: DockerContainer | None = None

    def __enter__(self) -> Self:
        self._image.build()
        options = " ".join(f"-c {name}={value}" for name, value in self.settings.items())
        container = DockerContainer(str(self._image)).with_exposed_ports(5432)
        container = container.with_env("POSTGRES_HOST_AUTH_METHOD", "trust").with_command(f"postgres {options}")
        self._container = container.start()
        try:
            self.host = container.get_container_host_ip()
            self.port = int(container.get_exposed_port(5432))
            self._wait()
        except BaseException:
            container.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._leave()
        if self._container is not None:
            self._container.stop()

    def _wait(self) -> None:
        """Wait for the server. While the image initialises itself, the server there has no TCP port."""
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise ClusterFailed(f"PostgreSQL did not start:\n{self.log_text()[-4000:]}") from None
                time.sleep(0.1)
            else:
                return

    def log_text(self) -> str:
        """Return the server's log so far."""
        if self._container is None:
            return ""
        return b"".join(self._container.get_logs()).decode(errors="replace")
