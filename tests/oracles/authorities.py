"""A time-stamp authority of our own: OpenSSL's, with real certificates, behind a local HTTP server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
[purpose]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[req]
distinguished_name = name
[name]
"""


@dataclass
class Authority:
    """A certificate, a key, and how it answers: truthfully, unless a test says otherwise."""

    folder: Path
    url: str = ""
    spoiled: bytes | None = None
    status: int = 200
    asked: list[bytes] = field(default_factory=list)

    @property
    def certificates(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def config(self) -> Path:
        return self.folder / "openssl.cnf"

    def answer(self, query: bytes) -> bytes:
        """Let OpenSSL stamp."""
        self.asked.append(query)
        asked, answered = self.folder / "query", self.folder / "answer"
        asked.write_bytes(query)
        given = ("-config", self.config, "-section", "here", "-queryfile", asked, "-out", answered)
        _openssl("ts", "-reply", *given)
        return answered.read_bytes()

    def verify(self, response: bytes, message: bytes) -> bool:
        """Let OpenSSL check a stamp: an independent verifier."""
        given, data = self.folder / "given", self.folder / "data"
        given.write_bytes(response)
        data.write_bytes(message)
        command = ["openssl", "ts", "-verify", "-in", given, "-data", data, "-CAfile", self.certificates]
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make_authority(folder: Path, purpose: str = "purpose") -> Authority:
    """Make an authority and the certificate it stamps with."""
    folder.mkdir()
    made = Authority(folder)
    made.config.write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", made.config)
    ca = ("-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-subj", "/CN=Test Authority")
    _openssl("req", "-x509", *key, *ca, "-days", "30", "-extensions", "authority")
    asked = ("-keyout", folder / "tsa.key", "-out", folder / "tsa.csr", "-subj", "/CN=Test Stamps")
    _openssl("req", *key, *asked)
    by = ("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "30")
    extensions = ("-extfile", made.config, "-extensions", purpose)
    _openssl("x509", "-req", "-in", folder / "tsa.csr", *by, "-out", folder / "tsa.pem", *extensions)
    return made


@contextmanager
def serving(authority: Authority) -> Iterator[Authority]:
    """Answer over HTTP until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            assert self.headers["content-type"] == "application/timestamp-query"
            body = authority.answer(query) if authority.spoiled is None else authority.spoiled
            self.send_response(authority.status)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    authority.url = f"http://127.0.0.1:{server.server_address[1]}/stamp"
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
