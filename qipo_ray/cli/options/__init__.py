"""What each verb may be given, and its help; these modules import typer and errors alone.

A verb is a function of its options whose docstring is its help. It returns the name of the
function that does its work, ``package.module:function``, which is called with the same options.
"""
