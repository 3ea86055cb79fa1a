"""One run: plan, workers, phases, the runner."""
