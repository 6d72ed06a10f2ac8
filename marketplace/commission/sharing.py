"""Sharing an amount among lines without passing what each can bear."""

from collections.abc import Sequence

from systemadmin.foundation.money import allocate


def share_within(total: int, weights: Sequence[int], limits: Sequence[int] | None) -> list[int]:
    """Share a total in proportion to the weights; what is over one limit goes to the others.

    The limits must have room for the total. Without weights the shares are equal.
    """
    weights = weights if sum(weights) else [1] * len(weights)
    shares = allocate(total, weights)
    if limits is None:
        return shares
    shares = [min(one, most) for one, most in zip(shares, limits, strict=True)]
    missing = total - sum(shares)
    for place, most in enumerate(limits):
        more = min(missing, most - shares[place])
        shares[place] += more
        missing -= more
    return shares
