"""Tasks, data sets and transitions; this file imports nothing, so that tables stay light."""
