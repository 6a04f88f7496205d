"""The certificate of a listener: from a folder with tls.crt and tls.key, as Kubernetes mounts a Secret of type tls.

A renewed certificate is taken up by the first connection that is made after the files have changed, without a restart. A renewal that cannot be
read is logged, and the old certificate stays: the next connection tries again.
"""

import ssl
from pathlib import Path

import structlog

log = structlog.get_logger()


class TlsError(Exception):
    """The certificate cannot be used; the message names the files."""


class Certificate:
    """Certificate and key in `folder`; `context` is for the listener. Raises TlsError when they cannot be read at first."""

    def __init__(self, folder: Path) -> None:
        self._files = (folder / "tls.crt", folder / "tls.key")
        self._read_at: tuple[int, ...] = ()
        try:
            self.context = self._current = self._read()
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"{folder} holds no usable tls.crt and tls.key: {error}") from error
        self.context.sni_callback = self._choose

    def _read(self) -> ssl.SSLContext:
        """A context of its own for each certificate: OpenSSL copies from a context when a connection is given another one."""
        read_at = self._changed()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._files)
        self._read_at = read_at
        return context

    def _changed(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in self._files)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        try:
            if self._changed() != self._read_at:
                self._current = self._read()
        except (OSError, ssl.SSLError) as error:
            log.warning("certificate_not_renewed", error=str(error))
        connection.context = self._current
