"""The AWS emulator's process: moto behind a socket that the parent opened, so that no port is guessed and none is lost.

    python -m tests.cluster.moto_server FD

Rules:
1. FD is a listening socket. Requests that arrive before the server is up wait in its backlog.
2. The emulator answers as moto does; only a cost is moved. moto makes an RSA key of 2048 bits for every symmetric and HMAC
   key (68 ms of CPU, more than all the rest of CreateKey) and here makes it when somebody asks such a key to sign.
"""

import os
import socket
import sys
from functools import cached_property

from moto.kms import models
from moto.kms.utils import AbstractPrivateKey, KeySpec, generate_private_key
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

ASYMMETRIC = frozenset(KeySpec.rsa_key_specs() + KeySpec.ecc_key_specs() + [KeySpec.SM2])


class KeyMadeWhenUsed(AbstractPrivateKey):
    """moto's private key of a symmetric or HMAC key; AWS has no use for one, and so it is hardly ever made."""

    def __init__(self, key_spec: str) -> None:
        self._key_spec = key_spec

    @cached_property
    def _key(self) -> AbstractPrivateKey:
        return generate_private_key(self._key_spec)

    def sign(self, message: bytes, signing_algorithm: str) -> bytes:
        """As moto signs."""
        return self._key.sign(message, signing_algorithm)

    def verify(self, message: bytes, signature: bytes, signing_algorithm: str) -> bool:
        """As moto verifies."""
        return self._key.verify(message, signature, signing_algorithm)

    def public_key(self) -> bytes:
        """As moto shows it."""
        return self._key.public_key()


def private_key(key_spec: str) -> AbstractPrivateKey:
    """What moto calls for each new key."""
    return generate_private_key(key_spec) if key_spec in ASYMMETRIC else KeyMadeWhenUsed(key_spec)


def main(fd: int) -> None:
    """Serves until it is killed."""
    vars(models)["generate_private_key"] = private_key
    with socket.socket(fileno=os.dup(fd)) as listening:
        host, port = listening.getsockname()
    os.environ["MOTO_PORT"] = str(port)  # moto puts it into the URLs that it hands out
    application = DomainDispatcherApplication(create_backend_app)
    make_server(host, port, application, threaded=True, request_handler=MotoRequestHandler, fd=fd).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
