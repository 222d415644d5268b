"""Exact gradients of a scalar function from its own source, read backwards."""
