"""Searches over runs: the highest rate that holds. Every probe is an ordinary run."""
