"""Why something failed, in a line."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; empty when it says nothing."""
    return next(iter(str(error).strip().splitlines()), "")
