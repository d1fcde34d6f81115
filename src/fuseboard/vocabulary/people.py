"""Whether two acts are two people's: by their names and by what each proved to be somebody with."""

import unicodedata
from typing import Final

KEY_VIA: Final = "key:"
USER_VIA: Final = "user:"


def same_person(name: str, via: str, other: str, other_via: str) -> bool:
    """Whether two acts may be one person's: proofs that are equal or absent, or names alike.

    `via` as in `operator_inputs`: one key, or one unix user, is one person, whatever the name.
    """
    return not via or not other_via or via == other_via or same_name(name, other)


def same_name(name: str, other: str) -> bool:
    """Whether two names are one in another spelling: case, accents, blanks, marks, order of words.

    A name without a letter or a digit is like every other.
    """
    words, others = _words(name), _words(other)
    if not words or not others:
        return True
    return "".join(words) == "".join(others) or sorted(words) == sorted(others)


def _words(name: str) -> list[str]:
    """The name's words, plain: compatible forms made one (Unicode NFKD), accents gone."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    letters = [at for at in plain if not unicodedata.combining(at)]
    return "".join(at if at.isalnum() else " " for at in letters).split()
