"""Each attack of the table for a moment, and the verdict of `trial.py` on it."""

import pytest

import attacks  # noqa: F401
from apus_e2e import OVER_TLS
from attack import ATTACKS, PLAIN
from trial import Terms, try_attack

pytestmark = pytest.mark.over_tls


@pytest.mark.parametrize("name", [
    name for name, attack in ATTACKS.items() if not OVER_TLS or attack.port != PLAIN
])
def test_an_attack_harms_nobody_and_leaves_nothing_behind(name):
    outcome = try_attack(name, Terms(seconds=0.5, over_tls=OVER_TLS))
    print(outcome.did, *(f"{window.kind}: {window.ended - window.began:.1f} s" for window in outcome.windows))
    assert not outcome.faults, "\n".join(outcome.faults)
    assert outcome.samples and all(outcome.did.values()), outcome.did
