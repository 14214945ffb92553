"""Kafka's jars are exactly those of the list, from the user's own repositories, or they are refused by name."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from assay.app.settings import Settings, load_settings
from assay.app.stores.s3 import client_of
from assay.app.substrate.jars import Jar, class_path, listed
from assay.app.substrate.maven import repositories
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

BYTES = b"a jar"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(BYTES).hexdigest())


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Requests are counted by what they leave behind, not printed."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Maven repository that holds the one jar."""
    path = JAR.path_under(tmp_path / "repository")
    path.parent.mkdir(parents=True)
    path.write_bytes(BYTES)
    return tmp_path / "repository"


@pytest.fixture
def mirror(repository: Path) -> Iterator[str]:
    """The address of a server of that repository."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(repository)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def wiring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose caches are empty and the test's own."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "users"))
    return load_settings(cache=tmp_path / "cache", maven_settings=tmp_path / "settings.xml", maven_mirror="")


def write_maven_settings(wiring: Settings, inside: str) -> None:
    wiring.maven_settings.write_text(f'<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0">{inside}</settings>')


def test_the_list_names_kafka_once_with_full_digests() -> None:
    jars = listed()
    assert len({str(jar) for jar in jars}) == len(jars) == 46
    assert "org.apache.kafka:kafka_2.13:4.3.0" in {str(jar) for jar in jars}
    assert {len(jar.sha256) for jar in jars} == {64}


def test_jars_come_from_the_mirror_of_the_user_s_maven_settings(wiring: Settings, mirror: str) -> None:
    write_maven_settings(wiring, f"<mirrors><mirror><id>bank</id><mirrorOf>central</mirrorOf><url>{mirror}</url></mirror></mirrors>")
    (path,) = class_path(wiring, [JAR])
    assert path.read_bytes() == BYTES


@pytest.mark.parametrize("served", [BYTES, b"another jar"])
def test_tls_of_the_process_is_its_own_again_after_a_fetch_so_that_clients_of_s3_can_be_made(
    wiring: Settings, mirror: str, repository: Path, served: bytes
) -> None:
    JAR.path_under(repository).write_bytes(served)
    with suppress(Stop):
        class_path(wiring.model_copy(update={"maven_mirror": mirror}), [JAR])
    assert ssl.SSLContext.__module__ == "ssl"
    assert client_of() is not None


def test_a_second_start_asks_no_network(wiring: Settings, mirror: str) -> None:
    fetched = class_path(wiring.model_copy(update={"maven_mirror": mirror}), [JAR])
    assert class_path(wiring.model_copy(update={"maven_mirror": "http://127.0.0.1:1"}), [JAR]) == fetched


def test_the_user_s_own_maven_cache_is_read_and_never_written(wiring: Settings, tmp_path: Path) -> None:
    users = JAR.path_under(tmp_path / "users")
    users.parent.mkdir(parents=True)
    users.write_bytes(BYTES)
    offline = wiring.model_copy(update={"maven_mirror": "http://127.0.0.1:1"})
    assert class_path(offline, [JAR]) == [users]
    assert list(users.parent.iterdir()) == [users]


def test_a_mirror_that_serves_other_bytes_is_refused_and_nothing_kept(wiring: Settings, mirror: str, repository: Path) -> None:
    JAR.path_under(repository).write_bytes(b"another jar")
    with pytest.raises(Stop) as refused:
        class_path(wiring.model_copy(update={"maven_mirror": mirror}), [JAR])
    assert refused.value.reason is Reason.JAR_DIGEST_MISMATCH
    assert "org.example:thing:1.0" in str(refused.value)
    assert not list(wiring.cache.rglob("*.jar"))


def test_a_jar_altered_after_it_was_fetched_is_refused(wiring: Settings, mirror: str) -> None:
    online = wiring.model_copy(update={"maven_mirror": mirror})
    (path,) = class_path(online, [JAR])
    path.write_bytes(b"altered")
    with pytest.raises(Stop) as refused:
        class_path(online, [JAR])
    assert refused.value.reason is Reason.JAR_DIGEST_MISMATCH
    assert str(path) in str(refused.value)


def test_a_jar_that_can_be_had_nowhere_names_the_repositories_but_no_password(wiring: Settings) -> None:
    write_maven_settings(
        wiring,
        "<servers><server><id>bank</id><username>kim</username><password>s3cret</password></server></servers>"
        "<mirrors><mirror><id>bank</id><mirrorOf>*</mirrorOf><url>http://127.0.0.1:1/maven</url></mirror></mirrors>",
    )
    with pytest.raises(Stop) as refused:
        class_path(wiring, [JAR])
    assert refused.value.reason is Reason.JAR_UNREACHABLE
    assert "bank" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("inside", "remote"),
    [
        ("<mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>http://m/x/</url></mirror></mirrors>", {"m": "http://m/x"}),
        ("<mirrors><mirror><id>m</id><mirrorOf>external:*</mirrorOf><url>http://m/x</url></mirror></mirrors>", {"m": "http://m/x"}),
        (
            (
                "<mirrors><mirror><id>all</id><mirrorOf>*</mirrorOf><url>http://a</url></mirror>"
                "<mirror><id>c</id><mirrorOf>central</mirrorOf><url>http://c</url></mirror></mirrors>"
            ),
            {"c": "http://c"},
        ),
        (
            (
                "<servers><server><id>m</id><username>u@b</username><password>${env.REPO_PASSWORD}</password></server></servers>"
                "<mirrors><mirror><id>m</id><mirrorOf>central,other</mirrorOf><url>http://m/x</url></mirror></mirrors>"
            ),
            {"m": "http://u%40b:p%2Fw@m/x"},
        ),
        (
            (
                "<profiles><profile><id>bank</id><repositories><repository><id>central</id><url>http://p</url></repository></repositories>"
                "</profile></profiles><activeProfiles><activeProfile>bank</activeProfile></activeProfiles>"
            ),
            {"central": "http://p"},
        ),
    ],
)
def test_maven_s_own_rules_choose_the_repository(
    wiring: Settings, monkeypatch: pytest.MonkeyPatch, inside: str, remote: dict[str, str]
) -> None:
    monkeypatch.setenv("REPO_PASSWORD", "p/w")
    write_maven_settings(wiring, inside)
    assert repositories(wiring).remote == remote


def test_the_local_repository_of_the_settings_is_where_jars_are_looked_for(wiring: Settings, tmp_path: Path) -> None:
    write_maven_settings(wiring, f"<localRepository>{tmp_path}/elsewhere</localRepository>")
    assert repositories(wiring).local == tmp_path / "elsewhere"


def test_broken_maven_settings_are_refused_by_name(wiring: Settings) -> None:
    wiring.maven_settings.write_text("<settings>")
    with pytest.raises(Stop) as refused:
        repositories(wiring)
    assert refused.value.reason is Reason.SETTING_INVALID
    assert str(wiring.maven_settings) in str(refused.value)
