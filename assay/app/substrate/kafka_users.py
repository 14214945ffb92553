"""The credentials of a Kafka of ours: a password per user, and what the broker has to know of them."""

from __future__ import annotations

from pathlib import Path

from assay.app.bus.properties import read_bus_properties
from assay.app.bus.users import BusUser, properties_file
from assay.app.stores.durable import replace_file
from assay.app.substrate.roles import new_password

PROTOCOL = "SASL_PLAINTEXT"
#: the configuration of the broker, written at each start
SERVER_PROPERTIES = "server.properties"
_CLIENT = f"security.protocol={PROTOCOL}\nsasl.mechanism=PLAIN\nsasl.username={{user}}\nsasl.password={{password}}\n"
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"

#: who does not authenticate is refused, at the port of the controller too, and who has no right is refused but the administrator
_BROKER = """\
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
security.inter.broker.protocol={protocol}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{admin}
listener.name.{listener}.plain.sasl.jaas.config={all_users}
listener.name.controller.plain.sasl.jaas.config={admin_only}
"""


def users_of(home: Path, *, begin: bool) -> Path | None:
    """The folder of the users' files; None for a server without credentials. `begin`: a server without data gets them.

    A user without a file gets one: passwords stand in these files alone, and the broker reads them at its start. A server that had
    users keeps them when the whole folder is gone, too.
    """
    folder = home / "users"
    new = begin and not (home / "data" / "meta.properties").exists()
    if not (new or folder.is_dir() or _had_users(home / SERVER_PROPERTIES)):
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for user in BusUser:
        file = properties_file(folder, user)
        if not file.is_file():
            replace_file(file, _CLIENT.format(user=user, password=new_password()).encode(), mode=0o600)
    return folder


def _had_users(configuration: Path) -> bool:
    """Whether the broker was started with users the last time."""
    return configuration.is_file() and f"listeners={PROTOCOL}://" in configuration.read_text()


def admin_properties(users: Path | None) -> dict[str, str]:
    """Client properties of the administrator, none for a server without credentials."""
    return {} if users is None else read_bus_properties(properties_file(users, BusUser.ADMIN))


def broker_properties(users: Path) -> str:
    """The part of the broker's configuration that holds the passwords."""
    passwords = {user: read_bus_properties(properties_file(users, user))["sasl.password"] for user in BusUser}
    return _BROKER.format(
        protocol=PROTOCOL,
        listener=PROTOCOL.lower(),
        admin=BusUser.ADMIN,
        all_users=_login(passwords),
        admin_only=_login({BusUser.ADMIN: passwords[BusUser.ADMIN]}),
    )


def _login(passwords: dict[BusUser, str]) -> str:
    """The users that a listener knows, and the user as which the broker reaches it."""
    known = " ".join(f'user_{user}="{password}"' for user, password in passwords.items())
    return f'{_LOGIN} username="{BusUser.ADMIN}" password="{passwords[BusUser.ADMIN]}" {known};'
