# %% tags=["parameters"]
# The folder of a study, as `loadlab tune` left it.
study = "../results/reference/study"

# %%
from pathlib import Path

from loadlab.api import pages, pages_of_study
from loadlab.results.reader import load_stored
from loadlab.tuning.study_plots import StudyPlots

found = load_stored(study, Path("results")).result
plots = StudyPlots(found)
pages_of_study.study_box(found)

# %% [markdown]
# ## What was measured against the baseline
# The values that are not those of the baseline: the default, or the scenario as it is. A cost is a figure
# that got worse by more than noise.

# %%
pages_of_study.recommended(found)

# %% [markdown]
# ## Confirmation

# %%
plots.confirmation()

# %% [markdown]
# ## History

# %%
plots.history()

# %% [markdown]
# ## Which knobs mattered

# %%
plots.importance()

# %%
plots.contour()

# %%
if len(found.objectives) > 1:
    display(plots.pareto())  # noqa: F821  Jupyter's own

# %% [markdown]
# ## Trials
# Each was run once, unless it was among the best: a single run tells no more than the grey band of the
# history allows.

# %%
pages_of_study.trials(found)

# %% [markdown]
# ## What was searched

# %%
pages_of_study.searched(found)

# %% [markdown]
# ## Runs and noise
# Each run of the study is stored whole beside it.

# %%
pages_of_study.runs_made(found)

# %% [markdown]
# ## Environment

# %%
pages.machine(found.environment)

# %% [markdown]
# ## Repeat it

# %%
pages_of_study.repeat_study(found)
