"""Clocks, histograms, slabs and validity. Imports no Kafka client."""
