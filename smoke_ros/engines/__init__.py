"""How a network runs: callables from normalised images to (heatmap, regression)."""
