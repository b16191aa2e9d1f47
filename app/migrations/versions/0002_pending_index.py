"""The index of documents by state covers pending ones only."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.drop_index("ix_documents_state_lease_until", table_name="documents")
    op.create_index(
        "ix_documents_pending",
        "documents",
        ["lease_until"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: the audit trail does not run backwards")
