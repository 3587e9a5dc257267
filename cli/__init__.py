"""The `ofrecord` command."""
