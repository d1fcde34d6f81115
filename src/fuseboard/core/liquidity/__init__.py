"""Liquidity of each symbol: its components, its score, its tier. See docs/liquidity.md."""
