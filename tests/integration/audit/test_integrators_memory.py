"""What an integrator verified itself it does not let be replaced while it runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from audit.entry import Draft
from audit.errors import IntegrityHalt
from audit.integrate import Integrator
from audit.note import Signer
from tests.oracles.forgers import Forger

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


def fill(rig, count: int) -> None:
    rig.log.append([Draft("a.b", "x", {"n": number}) for number in range(count)], NOW)


def test_a_replaced_key_signs_nothing_while_an_integrator_runs(rig):
    new = Signer(rig.origin, b"\x07" * 32)
    fill(rig, 3)
    assert rig.integrator.step(NOW) == 3
    running = Integrator(rig.integrator_pool, [new], rig.origin, trusted=[rig.signer.verifier])
    assert running.verify_edge() == 3, "what it signed before counts"
    fill(rig, 2)
    assert Integrator(rig.integrator_pool, [rig.signer, new], rig.origin).step(NOW) == 2
    assert running.verify_edge() == 5, "what both sign counts too"
    fill(rig, 2)
    assert rig.another_integrator().step(NOW) == 2
    fill(rig, 1)
    with pytest.raises(IntegrityHalt, match="a key that was replaced"):
        running.step(NOW)


def test_a_database_put_back_under_a_running_integrator_halts_it(rig):
    for count in (5, 300):
        fill(rig, count)
        assert rig.integrator.step(NOW) == count
    forger = Forger(rig.database.admin_url, rig.signer)
    forger.cut(5)
    fill(rig, 2)
    with pytest.raises(IntegrityHalt, match="the tree of 305 is gone, there is one of 5"):
        rig.integrator.step(NOW)
    other = rig.another_integrator()
    assert other.step(NOW) == 2
    forger.rewrite(1, b'"actor":"x"', b'"actor":"y"')
    fill(rig, 1)
    assert rig.another_integrator().step(NOW) == 1
    with pytest.raises(IntegrityHalt, match="the tree of 7 has another root than before"):
        other.step(NOW)
