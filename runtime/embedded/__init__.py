"""PostgreSQL and Valkey from wheels, for one machine without servers."""
