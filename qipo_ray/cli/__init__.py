"""The ``qipo-ray`` command: one module per verb.

Verb modules import heavy packages inside their functions, so that ``--help`` answers at once.
"""
