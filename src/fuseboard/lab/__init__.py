"""Tapes and scripts through the whole loop: demonstrations and studies, never a live broker."""
