"""Jobs in forked children that are really killed at their deadline: bytes in, bytes out, on a Unix socket."""
