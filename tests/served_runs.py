"""The directory of a run of a small world, and the Scenario Runner over it, as HTTP, gRPC and the commands carry its calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from aiohttp import web
from scenario_runs import runner_over, sealed, sqlite_authority
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.cli.sr import main as sr
from assay.app.run.directory import Run
from assay.app.runner.access import Access
from assay.app.runner.grpc_server import REFUSAL, grpc_server
from assay.app.runner.reemit import ReemitPolicy
from assay.app.runner.request import request_of_run
from assay.app.runner.server import RunnerServer
from assay.app.runner.service import RunnerService
from assay.app.runner.wire_types import document_of, message_of, message_types, path_of, types_of
from assay.contracts.ids import scenario_run_id

ANN = {"x-ig-api-key": "right", "x-sr-actor": "ann"}
ACCESS = Access(lambda key: key == b"right", frozenset({"ann"}), frozenset({"ann", "rob"}))
Answer = tuple[Any, dict[str, Any]]


class Scene:
    """The directory of a run of a small world, and a service over it that HTTP and gRPC carry."""

    def __init__(
        self, folder: Path, *, damaged: bool = False, policy: ReemitPolicy | None = None, rules: Any = None, **config_fields: Any
    ) -> None:
        world = small_world(folder / "world")
        config = config_of(world.manifest, **{**({"policy": rules} if rules else {}), **config_fields})
        self.run_id = scenario_run_id(f"{config.platform_run_id}|{config.manifest_fingerprint}")
        self.config = config.model_copy(update={"scenario_run_id": self.run_id})
        authority = sqlite_authority(folder / "authority.db")
        self.run = Run(directory=folder / "run", config=self.config, bootstrap="127.0.0.1:1", dsn=f"sqlite:///{folder}/authority.db")
        self.run.save()
        for key in sealed(world).keys("oracle"):
            self.run.store.create(key, world.store.read(key))
        if damaged:
            self.run.store.replace(f"{world.root}/{world.manifest.stream_view[0].key}", b"something else")
        self.document = request_of_run(self.config)
        self.bus = KeptRecords()
        runner = runner_over(self.config, self.run.store, self.bus, NOW_US, authority=authority)
        self.service = RunnerService(runner, ACCESS, policy)

    def http(self, method: str, path: str, body: Any = None, headers: dict[str, str] = ANN) -> Answer:
        """(status, answer) of a call."""

        async def ask() -> Answer:
            listening = web.AppRunner(RunnerServer(self.service).app)
            await listening.setup()
            await web.TCPSite(listening, "127.0.0.1", 0).start()
            address = f"http://127.0.0.1:{listening.addresses[0][1]}{path}"
            async with aiohttp.ClientSession() as session, session.request(method, address, json=body, headers=headers) as answer:
                found = answer.status, await answer.json()
            await listening.cleanup()
            return found

        return asyncio.run(ask())

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        """A channel to a server on a free port."""
        server, port = grpc_server(self.service, "127.0.0.1", 0)
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield channel
        finally:
            server.stop(0).wait()

    def grpc(self, call: str, document: dict[str, Any], headers: dict[str, str] = ANN) -> Answer:
        """(status, answer) of a call; of a refused one the refusal that came with it."""
        request, answer = types_of(call)
        message = message_of(request.DESCRIPTOR.name, document)
        with self.channel() as channel:
            ask = channel.unary_unary(path_of(call), request.SerializeToString, answer.FromString)
            try:
                return grpc.StatusCode.OK, document_of(ask(message, metadata=tuple(headers.items()), timeout=60))
            except grpc.RpcError as refused:
                ((_, sent),) = [one for one in refused.trailing_metadata() if one[0] == REFUSAL]
                return refused.code(), document_of(message_types()["Refusal"].FromString(sent))

    def command(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
        """What a command prints as JSON."""
        sr([*arguments, "--run", str(self.run.directory), "--json"])
        return json.loads(capsys.readouterr().out)
