"""The ``qipo-ray`` command: ``verbs`` is its table, ``options`` what each verb may be given.

The module of a verb's name does its work. It is imported when the verb is run, so that ``--help``
answers at once.
"""
