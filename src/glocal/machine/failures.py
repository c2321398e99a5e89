"""What the machine refuses while glocal runs, such as memory or a process, in words."""

ADVICE = "lower --batch-size or --img-size, or end other programs"
NO_MEMORY = ("can't allocate memory", "out of memory", "cannot allocate memory", "std::bad_alloc", "unable to mmap")
NO_ROOM = ("can't start new thread", "could not create a primitive")
"""What libraries say where they get no memory, and where that is the usual reason among few: threads of Python, oneDNN."""


def failure_of(error: BaseException) -> str | None:
    """What went wrong, where an error says that the machine has no more memory or threads, or that a process that loads pictures
    was killed; None for any other error."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(said in text.lower() for said in NO_MEMORY):
        return f"there is not enough memory; {ADVICE}"
    if any(said in text for said in NO_ROOM):
        return f"there is probably not enough memory ({text:.100}); {ADVICE}"
    if "DataLoader worker" in text:
        return "a process that loads pictures was killed, perhaps for want of memory (--workers 0 needs least)"
    return None
