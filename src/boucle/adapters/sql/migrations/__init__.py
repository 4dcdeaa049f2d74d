"""Alembic's migrations, packaged with the platform. A released one is never edited: a change is a new file."""
