"""Plots of what was measured: data first, as plain dataclasses; drawing second, in one visual language."""
