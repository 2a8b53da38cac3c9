"""Each attack of the table for a moment, and the verdict of `trial.py` on it."""

import pytest

import attacks  # noqa: F401
from apus_e2e import OVER_TLS
from attack import ATTACKS, TLS
from trial import Terms, try_attack

CASES = [(name, True) for name, attack in ATTACKS.items() if OVER_TLS or attack.twice or attack.port == TLS]
CASES += [(name, False) for name, attack in ATTACKS.items() if not OVER_TLS and attack.port != TLS]


@pytest.mark.parametrize(("name", "over_tls"), CASES, ids=[f"{name}{'-tls' * tls}" for name, tls in CASES])
def test_an_attack_harms_nobody_and_leaves_nothing_behind(name, over_tls):
    outcome = try_attack(name, Terms(seconds=0.5, over_tls=over_tls))
    print(outcome.did, *(f"{window.kind}: {window.ended - window.began:.1f} s" for window in outcome.windows))
    assert not outcome.faults, "\n".join(outcome.faults)
    assert outcome.samples and all(outcome.did.values()), outcome.did
