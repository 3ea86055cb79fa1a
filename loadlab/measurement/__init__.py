"""Clocks, histograms, slabs and validity. Knows no Kafka."""
