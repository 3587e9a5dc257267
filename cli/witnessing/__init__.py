"""`ofrecord witness`: the witness over HTTP. It needs neither the service nor any of its servers."""
