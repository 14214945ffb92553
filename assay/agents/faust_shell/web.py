"""The worker's web pages: tables by name and row, and pages that are handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import faust
from faust.web.apps.tables import TableDetail, TableList, TableView

from assay.agents.faust_shell.tables import LaneTable
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: path → gives (body, content type); `/metrics` and `/healthz` come in this way
Pages = Mapping[str, Callable[[], tuple[bytes, str]]]


def add_pages(app: faust.App, pages: Pages) -> None:
    """`/table/…` and the pages handed in. Faust's own `/table` and `/router` are off: they read a table without waiting."""
    app.page("/table/", name="tables")(type("Tables", (TableList,), {}))
    app.page("/table/{name}/", name="table")(type("Table", (Named, TableDetail), {}))
    for path in ("/table/{name}/{key:[^/]+}", "/table/{name}/{key:[^/]+}/"):  # without a pattern, no key with a brace
        app.page(path, name=f"row of {path}")(type("Row", (RowView,), {}))
    for path, render in pages.items():
        app.page(path, name=path.strip("/"))(_page(render))


class Named(TableView):
    """A page about one table."""

    def get_table_or_404(self, name: str) -> Any:
        """The table. Raises Quarantine(PATH_UNKNOWN)."""
        if name not in self.app.tables:
            remedy = f"Tables are {', '.join(sorted(self.app.tables)) or 'none'}."
            raise Quarantine(Reason.PATH_UNKNOWN, f"there is no table {name!r}", remedy=remedy)
        return self.app.tables[name]


class RowView(Named):
    """One row of a table as JSON. 404 with the reason when the table, the lane or the row is not here."""

    async def get(self, request: Any, name: str, key: str) -> Any:
        """GET /table/<name>/<key>."""
        table = cast("LaneTable", self.get_table_or_404(name))
        if not table.active:
            what = f"no lane with table {name} is active in this worker"
            raise Quarantine(Reason.LANE_NOT_ACTIVE, what, remedy="Ask the worker in which it is: /healthz names the lanes of each.")
        row = await table.read(key)
        if row is None:
            remedy = "A decision takes a moment after its payment was admitted; an event that was refused gets none."
            raise Quarantine(Reason.ROW_NOT_FOUND, f"table {name} has no row {key!r}", remedy=remedy)
        return self.json(row)


def _page(render: Callable[[], tuple[bytes, str]]) -> Any:
    async def get(view: Any, request: Any) -> Any:
        body, content_type = render()
        return view.bytes(body, content_type=content_type)

    return get
