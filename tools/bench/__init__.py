"""What `make bench` measures. Comparisons are made in one run and given as ratios."""
