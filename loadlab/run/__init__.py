"""One run: plan, workers, phases, the runner. Called, `loadlab.run(…)` is `loadlab.api.running.run`."""

import sys

from loadlab import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
