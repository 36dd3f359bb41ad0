"""Benchmarks: ours and the peers, side by side."""
