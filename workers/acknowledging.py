"""Acknowledging messages of a queue that may have been restarted meanwhile.

While a worker works it holds as many messages as it may, so nothing listens to the broker, and a restart is
noticed only by the acknowledgement that fails afterwards. Kombu then keeps the message among those being
worked on, and the worker, which may hold one, never asks for another. So the place is given back in any case:
whether the work was done stands in PostgreSQL, and a message delivered again finds nothing to claim.
"""

from __future__ import annotations

import logging

from kombu.transport import redis as transport
from kombu.transport import virtual

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 2  # the first may meet a connection that the restart has broken


class SteadyQoS(transport.QoS):  # type: ignore[misc]  # kombu is untyped
    """The messages being worked on; an acknowledgement the broker does not take still frees its place."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge one message, or at least give its place to the next."""
        for _ in range(_ATTEMPTS):
            try:
                super().ack(delivery_tag)
            except self.channel.connection_errors:
                _LOG.warning("the broker did not take an acknowledgement")
            else:
                return
        virtual.QoS.ack(self, delivery_tag)


def steady_acknowledgements() -> None:
    """Let this process's Redis channels use SteadyQoS; the class attribute is kombu's own place for it."""
    transport.Channel.QoS = SteadyQoS
