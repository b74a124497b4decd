"""Market maker protection of options: too many fills in a short time pull all quotes.

Source: Bybit V5, Set MMP. Only fills as maker count: the sum of their quantities, and the size of
the sum of quantity times delta.
"""

from decimal import Decimal

from bybitd.simulator.account import Account, Protection

_FOR_EVER = -1


def protection(account: Account, base: str) -> Protection:
    """Give the protection of a base coin; who never set it has the exchange's usual limits."""
    return account.settings.mmp.setdefault(base, Protection())


def is_frozen(account: Account, base: str, now_ms: int) -> bool:
    """Tell whether orders under protection are refused now."""
    kept = account.settings.mmp.get(base)
    return kept is not None and kept.frozen(now_ms)


def count_fill(account: Account, base: str, qty: Decimal, delta: Decimal, now_ms: int) -> bool:
    """Count a fill; True when it was one too many, and the protection has frozen."""
    kept = protection(account, base)
    kept.fills = [fill for fill in kept.fills if fill[0] > now_ms - kept.window_ms]
    kept.fills.append((now_ms, qty, delta))
    total = sum((fill[1] for fill in kept.fills), Decimal(0))
    exposure = abs(sum((fill[2] for fill in kept.fills), Decimal(0)))
    if total < kept.qty_limit and exposure < kept.delta_limit:
        return False
    kept.fills = []
    kept.frozen_until_ms = now_ms + kept.frozen_ms if kept.frozen_ms else _FOR_EVER
    return True
