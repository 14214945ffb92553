"""Kafka's jars: exactly those listed in `jars.sha256`, fetched once through jgo, checked at every start."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from assay.app.settings import Settings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

LIST = Path(__file__).with_name("jars.sha256")
TIMEOUT_S = 60
FETCHERS = 6


@dataclass(frozen=True)
class Jar:
    """One artefact of the list."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name Maven gives the file."""
        return f"{self.artifact}-{self.version}.jar"

    def path_under(self, repository: Path) -> Path:
        """Its place in a Maven repository layout."""
        return repository.joinpath(*self.group.split("."), self.artifact, self.version, self.file_name)

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def listed(file: Path = LIST) -> list[Jar]:
    """The jars of the list, in its order; a line is `<sha256>  <group>:<artifact>:<version>`."""
    jars = []
    for line in file.read_text().splitlines():
        digest, coordinate = line.split()
        group, artifact, version = coordinate.split(":")
        jars.append(Jar(group, artifact, version, digest))
    return jars


def class_path(settings: Settings, jars: list[Jar] | None = None) -> list[Path]:
    """The paths of all listed jars, each with the listed digest.

    The resolved paths are kept in the cache directory, so a second start asks no network. Raises Stop(JAR_DIGEST_MISMATCH) naming
    the jar, Stop(JAR_UNREACHABLE) when a jar can be had nowhere.
    """
    wanted = listed() if jars is None else jars
    key = hashlib.sha256("\n".join(f"{jar} {jar.sha256}" for jar in wanted).encode()).hexdigest()[:16]
    kept = settings.cache / f"kafka-{key}.classpath"
    if kept.exists():
        paths = [Path(path) for path in json.loads(kept.read_text())]
        if all(path.exists() for path in paths):
            for jar, path in zip(wanted, paths, strict=True):
                _check(jar, path)
            return paths
    paths = _resolve(settings, wanted)
    settings.cache.mkdir(parents=True, exist_ok=True)
    draft = kept.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps([str(path) for path in paths]))
    draft.replace(kept)
    return paths


def _resolve(settings: Settings, wanted: list[Jar]) -> list[Path]:
    # laptop extras, needed only when a jar is missing
    import truststore

    from assay.app.substrate.maven import repositories

    truststore.inject_into_ssl()  # a company's own certificate authority is known to its systems, not to a bundle in a wheel
    try:
        known = repositories(settings)
        with ThreadPoolExecutor(FETCHERS) as pool:
            return list(pool.map(lambda jar: _find(jar, settings.cache / "jars", known.local, known.remote), wanted))
    finally:
        truststore.extract_from_ssl()  # clients of S3 and Kinesis cannot be made in a process whose TLS is exchanged


def _find(jar: Jar, ours: Path, local: Path, remote: dict[str, str]) -> Path:
    """Ours, else the user's Maven cache if its digest is right (it is only read), else fetched into ours."""
    path = jar.path_under(ours)
    if path.exists():
        return _check(jar, path)
    users = jar.path_under(local)
    if users.exists() and _digest(users) == jar.sha256:
        return users
    return _fetch(jar, path, remote)


def _fetch(jar: Jar, target: Path, remote: dict[str, str]) -> Path:
    """Fetch into a directory beside the target, check, then move: an interrupted fetch leaves no half jar."""
    from jgo.maven import MavenContext

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as room:
        context = MavenContext(repo_cache=Path(room), remote_repos=remote, timeout=TIMEOUT_S)
        try:
            fetched = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo's text would print credentials
            raise Stop(
                Reason.JAR_UNREACHABLE,
                f"jar {jar} could not be fetched ({type(error).__name__})",
                where=f"Maven repositories {', '.join(remote)}",
                remedy="Check the network, or name your mirror in Maven's settings.xml or ASSAY_MAVEN_MIRROR.",
            ) from None
        _check(jar, fetched)
        fetched.replace(target)
    return target


def _check(jar: Jar, path: Path) -> Path:
    found = _digest(path)
    if found != jar.sha256:
        raise Stop(
            Reason.JAR_DIGEST_MISMATCH,
            f"jar {jar} has sha256 {found}, the list says {jar.sha256}",
            where=str(path),
            remedy="Do not run it. Remove the file to fetch it again, and ask who altered it or what your mirror serves.",
        )
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
