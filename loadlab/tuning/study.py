"""Tunes: baseline, trials, the best of them again, confirmation; stored after each run, to be resumed."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

from loadlab.results.growing import only_writer
from loadlab.results.reader import list_capacities
from loadlab.results.study_store import load_study_result
from loadlab.run.interrupts import Interrupts
from loadlab.tuning.begin import TuneOptions, begun, refuse_given_brokers, to_go_on_with
from loadlab.tuning.journal import Journal, TuneObserver
from loadlab.tuning.proposals import Proposals
from loadlab.tuning.real_bench import open_bench
from loadlab.tuning.samplers import require_available
from loadlab.tuning.session import Session
from loadlab.tuning.study_database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.bench import Bench
    from loadlab.tuning.study_model import LoadedStudy

    BenchMaker = Callable[
        [LoadedStudy, StoredStudy, TuneOptions, TuneObserver, Interrupts], AbstractContextManager[Bench]
    ]

__all__ = ["TuneObserver", "TuneOptions", "refuse_given_brokers", "to_go_on_with", "tune"]


def tune(
    loaded: LoadedStudy, options: TuneOptions, observer: TuneObserver, bench_of: BenchMaker = open_bench
) -> StoredStudy:
    """Makes a study, or goes on with one.

    Args:
        loaded: the study.
        options: how to make it.
        observer: is told what happens.
        bench_of: gives what it measures on; runs by `run_scenario` unless told otherwise.

    Returns:
        The study as stored; not `finished` where the user interrupted it.

    Raises:
        LoadlabError: it can't begin, or can't go on; what was measured is kept, and --resume goes on with it.
        KeyboardInterrupt: it was interrupted before there was any run.
    """
    require_available(loaded.study.sampler)
    refuse_given_brokers(loaded, options)
    with ExitStack() as stack:
        stored = _claimed(loaded, options, stack)
        journal = Journal(stored, options.results_dir, observer)
        if options.resume is None:
            stack.callback(_forget_if_empty, journal, options)
        database = open_database(stored, [objective.direction for objective in loaded.study.objectives])
        optuna_study, storage = stack.enter_context(database)
        proposals = Proposals(
            optuna_study, storage, loaded.study.space, loaded.study.sampler, loaded.study.seed
        )
        observer.begun(stored)
        try:
            interrupts = stack.enter_context(Interrupts().handled())
            bench = stack.enter_context(bench_of(loaded, stored, options, observer, interrupts))
            Session(loaded, journal, proposals, bench, observer).run()
        except KeyboardInterrupt:
            if _is_empty(journal, options):
                raise
            observer.note("interrupted: what was measured is kept")
    return journal.stored


def _is_empty(journal: Journal, options: TuneOptions) -> bool:
    """Whether nothing was measured for a study: no run, and no probe of a capacity search either."""
    if journal.result.runs:
        return False
    searches = (entry.stored for entry in list_capacities(options.results_dir))
    return journal.result.study_id not in (stored.result.study for stored in searches if stored is not None)


def _forget_if_empty(journal: Journal, options: TuneOptions) -> None:
    """Takes away a new study of which there is nothing; its database is closed by then."""
    if _is_empty(journal, options):
        shutil.rmtree(journal.stored.path, ignore_errors=True)


def _claimed(loaded: LoadedStudy, options: TuneOptions, stack: ExitStack) -> StoredStudy:
    """The study, and the claim to be the only process at it; one to resume is claimed before it is read."""
    if options.resume is None:
        stored = begun(loaded, options)
        stack.enter_context(only_writer(stored.path))
        return stored
    stack.enter_context(only_writer(load_study_result(options.resume, options.results_dir).path))
    return begun(loaded, options)
