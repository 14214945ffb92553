"""What alembic runs: the revisions, over the connection that it is given, in that connection's transaction."""

from __future__ import annotations

from alembic import context

from assay.app.authority.migrate import VERSIONS

context.configure(connection=context.config.attributes["connection"], version_table=VERSIONS)
context.run_migrations()
