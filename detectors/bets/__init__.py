"""Bets on window sums: how much log-wealth each of K bets wins in one window.

Wealth that cannot grow on average under the null hypothesis is evidence that may be looked at
after every window. `detectors.sequential` says what to do with the increments.
"""
