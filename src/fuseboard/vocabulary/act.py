"""What every effect is made of."""

from msgspec import Struct


class Act(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", omit_defaults=True):
    """What all effects share: frozen, tagged with the class name, defaults left out on the wire."""
