"""Searches by ordinary runs: the highest rate that holds, the configuration that does best."""
