"""Model versions and the catalogues that word their reasons: registered, approved, listed."""
