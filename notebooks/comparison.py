# %% [markdown]
# # Comparison
# What a contender, B, has of a baseline, A, and whether it is more than noise. A difference is claimed only
# where the 95 % interval of the ratio is clear of 1, and still is when so many numbers are looked at
# together.

# %% tags=["parameters"]
# Folders of runs or run sets, and what may differ although it makes figures incomparable.
baseline = "../results/reference/linger-5-set"
contender = "../results/reference/linger-50-set"
allowed = []

# %%
from pathlib import Path

from loadlab.api import pages_of_set, pages_of_several
from loadlab.cli.comparison import compared
from loadlab.results.reader import load_stored

here = Path("results")
found = compared(baseline, contender, allowed=allowed, paired=False, results_dir=here)
pages_of_several.comparison_box(found)

# %% [markdown]
# ## Ratios

# %%
pages_of_several.comparison_plot(found)

# %%
pages_of_several.comparison_table(found)

# %% [markdown]
# ## What differs

# %%
pages_of_several.what_differs(found)

# %% [markdown]
# ## Runs of A

# %%
first = load_stored(baseline, Path("results"))
pages_of_several.repetitions(first)

# %% [markdown]
# ## Runs of B

# %%
second = load_stored(contender, Path("results"))
pages_of_several.repetitions(second)

# %% [markdown]
# ## Environment
# Of the first run of each side.

# %%
pages_of_several.environments(found)

# %% [markdown]
# ## Effective configuration
# All properties as in force, defaults included.

# %%
pages_of_several.configurations(found)

# %% [markdown]
# ## Repeat it
# A's scenario; B's differs by what is listed above.

# %%
pages_of_set.repeat(first, found.chosen.baseline[0])
