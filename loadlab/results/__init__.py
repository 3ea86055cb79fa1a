"""The versioned result model and its store. Called, `loadlab.results(…)` is `loadlab.api.stored.results`."""

import sys

from loadlab import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
