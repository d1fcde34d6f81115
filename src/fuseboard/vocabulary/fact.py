"""What every input is made of."""

from msgspec import Struct


class Fact(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", omit_defaults=True):
    """What all inputs share: frozen, tagged with the class name, defaults left out on the wire."""
