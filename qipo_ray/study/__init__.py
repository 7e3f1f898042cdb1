"""The words of a search: jobs, trials, the search file, the stopping rule, the selection."""
