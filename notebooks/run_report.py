# %% tags=["parameters"]
# The folder of a run or run set, as `loadlab run` left it.
run = "../results/reference/quickstart"

# %%
from pathlib import Path

from loadlab.analysis.plots.of_run import RunPlots
from loadlab.api import pages, pages_of_set, pages_of_several
from loadlab.results.reader import StoredSet, load_stored

stored = load_stored(run, Path("results"))
shown = pages_of_several.shown_run(stored)
plots = RunPlots(shown)
pages_of_set.title(stored, shown)

# %%
pages_of_set.verdict(stored, shown)

# %% [markdown]
# ## Figures
# Of the measure phase. Throughput is what was acked and read during it; a latency is of the records that
# were due in it, from their intended send time on; at `rate: max` none is due, and it is the service time. A
# percentile that the sample does not support is a dash.

# %%
pages.figures(shown.result)

# %% [markdown]
# ## Repetitions
# How far runs of the same scenario differ. The sections below show the run whose latencies are nearest to
# the medians.

# %%
if isinstance(stored, StoredSet):
    display(pages_of_set.runs_of(stored.runs))  # noqa: F821  Jupyter's own
pages_of_several.repetitions(stored)

# %% [markdown]
# ## Latency by percentile

# %%
plots.spectrum()

# %% [markdown]
# ## Latency over time

# %%
plots.heatmap("publish_latency")

# %%
plots.heatmap("end_to_end_latency")

# %% [markdown]
# ## Throughput

# %%
plots.throughput()

# %% [markdown]
# ## Where the time goes

# %%
plots.stages()

# %% [markdown]
# ## Lag

# %%
plots.lag()

# %% [markdown]
# ## Partitions

# %%
plots.skew()

# %% [markdown]
# ## Brokers

# %%
plots.brokers()

# %% [markdown]
# ## Records
# Every record is accounted for, in all phases: what the producers were told, what the logs hold, what each
# group read.

# %%
pages.records(shown.result)

# %% [markdown]
# ## Environment

# %%
pages.environment(shown.result)

# %% [markdown]
# ## Effective configuration
# All properties as in force, defaults included.

# %%
pages.configuration(shown.result)

# %% [markdown]
# ## Repeat it
# The same scenario with the same seed, on a cluster of the same kind. Secrets are not in it.

# %%
pages_of_set.repeat(stored, shown.result)
