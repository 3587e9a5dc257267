"""Where a replay finds what it needs: the log, the registry, the counterfactual server, the renderer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.log import AuditLog
from registry.loading import VersionCache
from registry.proposing import Proposer
from registry.version_row import VersionKey
from runtime.postgres import Pool
from service.renderer import Renderer
from service.replaying.recorded import Recorded
from service.replaying.versions import row_of, stored_version


@dataclass(frozen=True, slots=True)
class Sources:
    """The rooms behind a replay.

    `once`: the stored bytes of a version are read once and believed afterwards, for a run over many
    decisions; otherwise they are read for each.
    """

    log: AuditLog
    pool: Pool
    versions: VersionCache
    proposer: Proposer
    renderer: Renderer
    once: bool = False
    _known: dict[VersionKey, Mapping[str, object]] = field(default_factory=dict, repr=False)

    def stored(self, recorded: Recorded) -> Mapping[str, object]:
        """What the registry holds today of what this entry names."""
        key = row_of(recorded).key
        found = self._known.get(key) if self.once else None
        if found is None:
            found = self._known[key] = stored_version(self.pool, recorded)
        return found
