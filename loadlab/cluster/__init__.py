"""Cluster providers: docker, local, embedded, external; topics and broker properties."""
