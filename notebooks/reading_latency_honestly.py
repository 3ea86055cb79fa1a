# %% [markdown]
# # Reading latency honestly
#
# A broker stands still for two seconds. How slow was it?
#
# A test that sends the next record only when it has room to, and counts from there, will say: hardly at
# all. While the broker stands still such a test sends next to nothing, so that next to nothing is slow. The
# records that *should* have been sent meanwhile, and that users would have waited for, are not in its
# figures. Gil Tene calls this **coordinated omission**: the measuring waits together with what it measures.
#
# Below are two real runs of 500 records a second, 20 s long, in each of which the broker's container was
# paused for two seconds. They differ in one property of the client:
#
# - **Room to wait**: the client's queue takes what falls due. Each record is handed over on time and waits
#   in the client.
# - **No room to wait**: `queue.buffering.max.messages=50`. After 50 records the client takes no more, and
#   the producer waits before it sends, as one that sends on its own pace always does.
#
# loadlab calls both runs suspect: other work used the machine meanwhile (`foreign_load`). For what is to be
# seen here that does not matter: the pause is longer than anything else by far.

# %% tags=["parameters"]
# Folders of the two runs.
with_room = "../results/reference/paused-with-room"
without_room = "../results/reference/paused-without-room"

# %%
from pathlib import Path

from loadlab.analysis.plots.honesty import draw_two_views, two_views
from loadlab.analysis.plots.of_run import RunPlots
from loadlab.analysis.recorded import recorded
from loadlab.api import pages
from loadlab.results.reader import load

roomy, cramped = load(with_room, Path("results")), load(without_room, Path("results"))

# %% [markdown]
# ## The same pause, two stories
# First with room to wait, then without. **Service time** is what most tools report: from the call that hands
# the record over to the ack. **Publish latency** counts from the moment at which the record was due. **Send
# delay** is the time between.

# %%
pages.figures(roomy.result)

# %%
pages.figures(cramped.result)

# %% [markdown]
# By service time the second run is the better one by far. Yet it is the same broker, the same pause, the
# same load: users would have waited just as long. Publish latency says so in both.

# %%
draw_two_views(two_views(recorded(roomy)), "room to wait")

# %%
draw_two_views(two_views(recorded(cramped)), "no room to wait")

# %% [markdown]
# ## What it must be
#
# A record that is due *x* seconds into a pause of *D* seconds is acked when the pause is over: *D - x*
# later. Of *T* seconds of records, the share that waits longer than *w* is (*D - w*) / *T*. So p99 is *D -
# T* / 100: with a pause of 2 s in 20 s of records about 1.8 s. Compare with the tables: publish latency is
# there in both runs, at 1.9 s, service time only in the first. (p90 would be 0 by this rule, and is not:
# after the pause the broker had to catch up, and what fell due meanwhile waited, too.)

# %% [markdown]
# ## Where the records waited

# %%
RunPlots(roomy).stages()

# %%
RunPlots(cramped).stages()

# %% [markdown]
# By the rule above the pause alone makes a mean of *D*² / (2 *T*), 100 ms. Both runs have that and more: the
# time to catch up after the pause, and what else used the machine, which was not the same in both. In the
# first run the wait is in the client's queue and on the way to the broker; in the second most of it is send
# delay, which a tool without intended send times does not have.

# %% [markdown]
# ## Second by second

# %%
RunPlots(roomy).heatmap("publish_latency")

# %%
RunPlots(cramped).heatmap("service_time")

# %% [markdown]
# In both pictures a second is blank: nothing was acked. What differs is the one after it, when all that
# had waited is acked. By publish latency it reaches evenly from the usual latency up to two seconds: the
# earlier in the pause a record fell due, the longer its wait. By service time nearly all of it is as fast as
# ever, with a few slow records on top: the fifty that the client had taken, of a thousand.
#
# ## What to take from it
#
# 1. Ask of every latency: from when on? Only one from the intended send time has the wait of those who had
#    to wait.
# 2. Mistrust a low p99 beside a high maximum: that is what a pause looks like in a closed loop.
# 3. Look at send delay before anything else. Where it is high the figures after it are of a load that was
#    not sent.
# 4. At `rate: max` no record is due at a time of its own. Latency there is service time, and says little to
#    users.
