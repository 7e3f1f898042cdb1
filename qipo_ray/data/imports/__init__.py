"""Data in other formats, brought into D4RL's layout once: ``qipo-ray data import``."""
