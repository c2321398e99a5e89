"""Many runs as one table: storage, workers, liveness, quote and budget. What the runs are for is the caller's matter.

A caller (a search, a study, a pick) brings three things: trials, which say in plain data what to run; a task, which runs one; and
phases, which say what the time is spent on. `docs/decisions/0019-trials.md` has an example of each.
"""
