-- Who may do what. Repeatable; run by the owner of the schema after every migration.

GRANT USAGE ON SCHEMA public TO absah_core, absah_public;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM absah_core, absah_public;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO absah_core;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO absah_core;
-- History is added to, never changed: triggers say so, and so does this.
REVOKE UPDATE, DELETE ON audit, audit_anchors, custodian_registers FROM absah_core;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM absah_core;
-- The engine of durable workflows keeps its own tables, and makes none of them itself.
GRANT USAGE ON SCHEMA absah_workflows TO absah_core;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA absah_workflows TO absah_core;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA absah_workflows TO absah_core;
REVOKE INSERT, UPDATE, DELETE ON absah_workflows.dbos_migrations FROM absah_core;

-- What verification reads: neither keys nor clients nor the trail. Later time-stamps decide what a document is
-- worth whose key was lost.
GRANT SELECT ON documents, archive_stamps, archived_documents, certificates, crls, distrusted_units, alembic_version
  TO absah_public;
