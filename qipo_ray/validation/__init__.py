"""Experiments that show the mathematics on laws whose answer is known: ``qipo-ray toy``."""
