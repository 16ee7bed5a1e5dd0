"""The ways in which words of the specifications can be wrong."""


class InvalidValueError(ValueError):
    """A text is not the digest, name, descriptor or manifest that it should be; the message says why.

    The message never holds raw text of the other side: what it quotes went through `quoted`.
    """


_LONGEST_QUOTE = 80


def quoted(text: object) -> str:
    """Show foreign text safely: one line of printable ASCII in quotes, cut to 80 characters."""
    try:
        whole = ascii(text)
    except RecursionError:  # JSON may be nested deeper than Python can show it
        return f"a {type(text).__name__} nested too deep"
    return whole if len(whole) <= _LONGEST_QUOTE else whole[: _LONGEST_QUOTE - 4] + "..." + whole[-1]
