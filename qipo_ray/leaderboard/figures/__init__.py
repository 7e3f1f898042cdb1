"""Figures of results, as SVG and PNG; drawn without a display, from records alone."""
