"""The settings reference of the documentation, written from the declarations: `python -m assay.app.reference.settings_page FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from assay.app.settings import PREFIX, Settings

HEAD = """\
# Settings

Settings say where things are: addresses, ports, directories. Policy documents say how payments are decided. An environment variable wins
over the YAML file named by `ASSAY_WIRING` (same names, lower case, without `ASSAY_`). The file wins over the [profile](profiles.md) named
by `ASSAY_PROFILE`. The profile wins over the default. An unknown name is refused. `assay profile show` prints what is in force, and where
each value comes from.

| variable | default | meaning |
|---|---|---|
"""

TAIL = """
## The worker's web view

The web view shows metrics, health, and the tables of the lanes with their decisions. It listens on `127.0.0.1` unless `ASSAY_WEB_HOST` says
otherwise.

| call | on this machine | where `ASSAY_WEB_HOST` is another address |
|---|---|---|
| `GET /healthz` | open | open: a health check of ECS or of a load balancer sends no key. The page holds lanes and offsets, no payment |
| `GET /metrics`, `GET /table/…` | open | the key of the run: header `X-IG-Api-Key`, or `Authorization: Bearer` |

A call without a key must name the worker by address or as `localhost` in its header `Host`. A page that gave its own name the address
`127.0.0.1` is refused (`HOST_UNKNOWN`, 421). Refusals have the four fields of the gate's refusals: `UNAUTHORISED` (401), `PATH_UNKNOWN`,
`ROW_NOT_FOUND` and `LANE_NOT_ACTIVE` (404; the lane runs in another worker), `METHOD_NOT_ALLOWED` (405).

`GET /metrics` of the gate follows the same rule: where `ASSAY_GATE_HOST` is another address, it asks for the key. Prometheus sends the key
with:

```yaml
scrape_configs:
  - job_name: assay-worker
    authorization:
      credentials_file: /run/secrets/assay-key   # written by: assay key show --run DIR
    static_configs:
      - targets: ["worker:6066", "gate:8080"]
```

## PostgreSQL

A PostgreSQL that assay starts has six roles, each with a password file of its own in the server's directory. `assay_owner` owns the
database `assay` and its tables. Commands that people call use it: `assay db migrate`, `assay runs remove`, `assay sr rebuild-index`,
`assay gate vault`.
`postgres` makes the other five at start; nothing else uses it. A directory that an earlier version began with one role keeps that one.

| role | is | facts: it may add rows | positions: it may move them |
|---|---|---|---|
| `assay_gate` | `assay gate serve`, `assay gate resolve` | `ig_…` but `ig_marks` and `ig_vault_erasures` | `ig_marks`, `ig_epoch` |
| `assay_runner` | `assay sr` | `sr_run_equivalence` | `sr_run_leases`, `sr_key_last_asked` |
| `assay_streamer` | `assay stream` and `assay labels deliver` with `ASSAY_CHECKPOINTS=postgres` | | `wsp_checkpoint` |
| `assay_reader` | reports and proofs | | |

Every role may read every table but `ig_vault` and `ig_vault_key`, which only the gate reads. **No role of a component may update, delete or
truncate a fact**, and none owns a table. A fact is what was claimed, where it lies on the bus, and what a key means. A position is a lease,
a mark, or the time of a last request: it moves. A claim that a later batch publishes again is a new row of `ig_retakes`; its first row
stays. Labels have no table: they are claims, and records on Kafka. The owner alone erases a subject of the [vault](pseudonyms.md), and
records it in `ig_vault_erasures`. The list is `assay/app/database/rights.py`, and tests try every verb with every role on every table.

The roles keep components apart. They do not protect against a person who may read the run's directory: the files of all passwords are
there.

For your own PostgreSQL, give `ASSAY_SQL` a role that owns one database or schema. All parts then use this one role, and it may change
facts. To keep the parts apart, make the roles `assay_gate`, `assay_runner`, `assay_streamer` and `assay_reader` yourself, with the right
to connect. Then:

1. Run `assay db migrate --authority URI` with the owner's address. It makes the tables and gives the four roles exactly these rights.
2. Give the process of the gate the address of its role as `ASSAY_SQL`.
3. Give `assay sr` the address of its role as `ASSAY_AUTHORITY`.

A gate that is not the owner makes no tables. Where they are missing it is refused with `DATABASE_NOT_MIGRATED`. Workers do not use
PostgreSQL.

## Kafka

A Kafka that assay starts for a run, or by `assay substrate up`, listens on 127.0.0.1 only and has a user per component. Nobody is answered
without a password. Each user has a file of client properties in `servers/kafka/users`, readable by its owner only.

| user | is | may write | may read |
|---|---|---|---|
| `gate` | `assay gate serve` | traffic, context, labels, preflights | dead letters |
| `worker` | `assay worker` | what its lanes emit, their journals, dead letters | what its lanes read; its consumer groups |
| `runner` | `assay sr submit`, the start of `assay up` | control, posture, names of features | |
| `streamer` | `assay stream` | | control |
| `labels` | `assay labels deliver` | | control |
| `reader` | reports, proofs, `assay topic cat` and all that shows a run | | every topic; the consumer group `reader` |
| `admin` | the broker itself, `assay topic create`, `assay journal truncate` | everything | everything |

The rights come from the [topology](topology.md): who is no declared producer of a topic cannot write there. They are set at each start of
`assay demo` and `assay up`. To change a password, stop the servers and delete its file: the next start makes another. A directory
that an earlier version began goes on without users. So do a Kafka in a container, those of `assay.testing` and of benches of lanes.

A name or password that Kafka does not know, and a right that it does not give, end a command with `BUS_USER_REFUSED`. Kafka does not tell
a client without a password why it closes the connection: such a command ends with `BROKER_UNREACHABLE`.

For your own Kafka, `ASSAY_BUS_PROPERTIES` names one file of properties. Each process reads its own environment: give gate and worker a file
each. `assay substrate up` prints that of the administrator: with it, every process of a run on these servers is the administrator.

## Keys

`secrets.json` of a run holds its keys, and the addresses of PostgreSQL with their passwords. `run.json` and all other files of a run hold
none of them. All files of a run are readable by their owner only. `assay up` shows the key once, on a terminal, and prints it into no
log. A script takes it from `assay key show --run DIR`.

On another machine, the directory of the run may be there without `secrets.json`. Then `ASSAY_SECRETS` names a copy of the file. Without
one, `ASSAY_API_KEY` and `ASSAY_SQL` are the key and the address. A gate without a key does not start (`RUN_KEY_MISSING`).

`assay key rotate --run DIR` makes a new key while gate and worker go on. The key before stays valid. Give the callers the new key, then
`assay key retire --run DIR` refuses the one before. A run has two valid keys at most: a second rotation before that is refused
(`KEY_NOT_RETIRED`).

The key of the run names nobody. [Who may call](gate.md#who-may-call) tells of keys, tokens and certificates that name their sender.
"""


def settings_reference() -> str:
    """The reference as Markdown, one row per setting in the order of declaration."""
    rows = (f"| `{PREFIX}{name.upper()}` | {_default(field)} | {_text(field)} |\n" for name, field in Settings.model_fields.items())
    return HEAD + "".join(rows) + TAIL


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        made = str(field.get_default(call_default_factory=True, validated_data={}))
        return f"`{made.replace(str(Path.home()), '~')}`"
    return "" if field.default in ("", None) else f"`{field.default}`"


def _text(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(settings_reference(), encoding="utf-8")
