"""Real things that tests stand on: a PostgreSQL, a served process, a browser, a clock. No mocks."""
