# %% tags=["parameters"]
# The folder of a capacity search.
search = "../results/reference/capacity"

# %%
from pathlib import Path

from loadlab.analysis.plots.capacity import capacity_curve, draw_capacity
from loadlab.api import pages, pages_of_several
from loadlab.results.reader import load_stored

found = load_stored(search, Path("results")).result
pages_of_several.capacity_box(found)

# %% [markdown]
# ## Latency against rate

# %%
draw_capacity(capacity_curve(found))

# %% [markdown]
# ## Probes
# Each is a run of its own, stored whole.

# %%
pages_of_several.probes(found)

# %% [markdown]
# ## Environment

# %%
pages.machine(found.environment)

# %% [markdown]
# ## Repeat it

# %%
pages_of_several.repeat_search(found)
