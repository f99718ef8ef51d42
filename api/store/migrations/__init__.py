"""Schema migrations (Alembic): one for each release that changes the schema, named after it.

A release's migration is never changed once the release is out; until then it is what
`api.store.tables` and the release before it say. `tests.api.releases` keeps a database of each.
"""
